// Dropout: tfcap/ops/dropout.py.

#ifndef TFCAP_KERNELS_DROPOUT_H_
#define TFCAP_KERNELS_DROPOUT_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "operation.h"
#include "vectors.h"

namespace tfcap {
namespace {

// Values [n, ...] where a row's hash numbers are at least the threshold, times `scale`;
// else 0. tfcap/ops/random.py says which numbers.
class Dropout : public OpKernel {
 public:
  explicit Dropout(OpKernelConstruction* context) : OpKernel(context) {
    int threshold;
    OP_REQUIRES_OK(context, context->GetAttr("threshold", &threshold));
    OP_REQUIRES_OK(context, context->GetAttr("scale", &scale_));
    threshold_ = threshold;
  }

  void Compute(OpKernelContext* context) override {
    const Tensor &values = context->input(0), &seeds = context->input(1);
    RETURN_UNLESS(values.dims() >= 1 && values.dim_size(0) == seeds.NumElements(),
                  "a seed for each row is needed");
    Tensor* kept;
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output(
                                {0}, 0, values.shape(), &kept));
    const int64_t rows = seeds.NumElements();
    const int64_t size = rows ? values.NumElements() / rows : 0;
    const auto seed = seeds.flat<int32_t>();
    const float* const from = values.flat<float>().data();
    float* const to = kept->flat<float>().data();
    const int64_t block = std::max<int64_t>(1, 16384 / std::max<int64_t>(size, 1));
    InBlocks(context, rows, block, [&](int64_t first, int64_t end) {
      for (int64_t i = first; i < end; ++i) {
        Row(from + i * size, seed(i), size, to + i * size);
      }
    });
  }

 private:
  static Bits Hash(uint32_t seed, Bits numbers) {
    Bits bits = seed ^ ((numbers + 1) * 0x9E3779B1u);
    bits = (bits ^ (bits >> 16)) * 0x85EBCA6Bu;
    bits = (bits ^ (bits >> 13)) * 0xC2B2AE35u;
    return bits ^ (bits >> 16);
  }

  // Each number of 32 bits is two of 16, the lower half first.
  void Row(const float* from, uint32_t seed, int64_t size, float* to) const {
    Bits numbers;
    for (int lane = 0; lane < kLanes; ++lane) numbers[lane] = lane;
    for (int64_t i = 0; i < size; i += 2 * kLanes, numbers += kLanes) {
      const Bits bits = Hash(seed, numbers);
      const auto kept = Load<Halves>(&bits) >= threshold_;
      const int64_t bytes = 4 * std::min<int64_t>(2 * kLanes, size - i);
      Pairs values{};
      std::memcpy(&values, from + i, bytes);
      values = __builtin_convertvector(kept, PairMask) ? values * scale_ : Pairs{};
      std::memcpy(to + i, &values, bytes);
    }
  }

  uint16_t threshold_;
  float scale_;
};

REGISTER_OP("TfcapDropout")
    .Input("values: float")
    .Input("seeds: int32")
    .Output("kept: float")
    .Attr("threshold: int")
    .Attr("scale: float")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      return absl::OkStatus();
    });

REGISTER(Dropout);

}  // namespace
}  // namespace tfcap

#endif  // TFCAP_KERNELS_DROPOUT_H_
