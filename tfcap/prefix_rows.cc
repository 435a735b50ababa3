// Captions to their prefixes in one pass; in TensorFlow's operations it takes three
// over every row, and is tfcap/input_pipeline.py: expand_prefixes.

#include <algorithm>
#include <cstdint>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace tfcap {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::shape_inference::InferenceContext;

constexpr int32_t kPad = 0;

class ExpandPrefixes : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const auto photo = context->input(0).vec<int32_t>();
    const auto tokens = context->input(1).matrix<int32_t>();
    const int64_t captions = tokens.dimension(0), length = tokens.dimension(1);
    OP_REQUIRES(context, photo.size() == captions && length > 0,
                absl::InvalidArgumentError("a photo for each caption is needed"));
    const int32_t* const first = tokens.data();
    int64_t rows = 0;
    for (int64_t i = 0; i < captions; ++i) rows += Targets(first + i * length, length);
    Tensor *photos, *prefixes, *targets;
    const int64_t width = length - 1;
    OP_REQUIRES_OK(context, context->allocate_output(0, {rows}, &photos));
    OP_REQUIRES_OK(context, context->allocate_output(1, {rows, width}, &prefixes));
    OP_REQUIRES_OK(context, context->allocate_output(2, {rows}, &targets));
    int32_t* of_photo = photos->flat<int32_t>().data();
    int32_t* prefix = prefixes->flat<int32_t>().data();
    int32_t* target = targets->flat<int32_t>().data();
    for (int64_t i = 0; i < captions; ++i) {
      const int32_t* const caption = first + i * length;
      const int64_t count = Targets(caption, length);
      of_photo = std::fill_n(of_photo, count, photo(i));
      target = std::copy_n(caption + 1, count, target);
      for (int64_t known = 1; known <= count; ++known, prefix += width) {
        std::fill(std::copy_n(caption, known, prefix), prefix + width, kPad);
      }
    }
  }

 private:
  // Tokens of a caption after its first, without padding.
  static int64_t Targets(const int32_t* caption, int64_t length) {
    return std::find(caption + 1, caption + length, kPad) - (caption + 1);
  }
};

REGISTER_OP("TfcapExpandPrefixes")
    .Input("photo_of_caption: int32")
    .Input("tokens: int32")
    .Output("photo: int32")
    .Output("prefix: int32")
    .Output("target: int32")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->Vector(c->UnknownDim()));
      c->set_output(1, c->Matrix(c->UnknownDim(), c->UnknownDim()));
      c->set_output(2, c->Vector(c->UnknownDim()));
      return absl::OkStatus();
    });

REGISTER_KERNEL_BUILDER(Name("TfcapExpandPrefixes").Device(tensorflow::DEVICE_CPU),
                        ExpandPrefixes);

}  // namespace
}  // namespace tfcap
