// What operations share: TensorFlow's names, blocks of work on all threads.

#ifndef TFCAP_KERNELS_OPERATION_H_
#define TFCAP_KERNELS_OPERATION_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/lib/core/threadpool.h"

namespace tfcap {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// Calls `work(first, end)` for blocks of so many of `total`, on all threads.
void InBlocks(OpKernelContext* context, int64_t total, int64_t block,
              const std::function<void(int64_t, int64_t)>& work) {
  using Blocks = tensorflow::thread::ThreadPool::SchedulingParams;
  context->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(
      (total + block - 1) / block, Blocks::Fixed(1), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          work(i * block, std::min(total, (i + 1) * block));
        }
      });
}

#define RETURN_UNLESS(CONDITION, MESSAGE) \
  OP_REQUIRES(context, CONDITION, absl::InvalidArgumentError(MESSAGE))

// Ranks of inputs from the first on.
absl::Status CheckRanks(InferenceContext* c, const std::vector<int>& ranks) {
  ShapeHandle shape;
  for (size_t i = 0; i < ranks.size(); ++i) {
    TF_RETURN_IF_ERROR(c->WithRank(c->input(i), ranks[i], &shape));
  }
  return absl::OkStatus();
}

#define REGISTER(NAME) \
  REGISTER_KERNEL_BUILDER(Name("Tfcap" #NAME).Device(tensorflow::DEVICE_CPU), NAME)

}  // namespace
}  // namespace tfcap

#endif  // TFCAP_KERNELS_OPERATION_H_
