// Captions to rows in one pass and one operation: tfcap/expansions.py, where they take
// TensorFlow three passes and a dozen operations.

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
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

// Captions of a batch, int32 [captions, length], padded on the right.
struct Captions {
  explicit Captions(const Tensor& matrix)
      : tokens(matrix.flat<int32_t>().data()),
        count(matrix.dim_size(0)),
        length(matrix.dim_size(1)) {}

  const int32_t* caption(int64_t number) const { return tokens + number * length; }

  // Tokens of one after its first, without padding.
  int64_t Targets(int64_t number) const {
    const int32_t* const second = caption(number) + 1;
    return std::find(second, second + length - 1, kPad) - second;
  }

  const int32_t* const tokens;
  const int64_t count, length;
};

absl::Status Check(const Tensor& photo, const Tensor& tokens) {
  if (photo.dims() == 1 && tokens.dims() == 2 && tokens.dim_size(1) > 0 &&
      photo.dim_size(0) == tokens.dim_size(0)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("a photo for each caption is needed");
}

class ExpandPrefixes : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    OP_REQUIRES_OK(context, Check(context->input(0), context->input(1)));
    const auto photo = context->input(0).vec<int32_t>();
    const Captions captions(context->input(1));
    const int64_t width = captions.length - 1;
    int64_t rows = 0;
    for (int64_t i = 0; i < captions.count; ++i) rows += captions.Targets(i);
    Tensor *photos, *prefixes, *targets;
    OP_REQUIRES_OK(context, context->allocate_output(0, {rows}, &photos));
    OP_REQUIRES_OK(context, context->allocate_output(1, {rows, width}, &prefixes));
    OP_REQUIRES_OK(context, context->allocate_output(2, {rows}, &targets));
    int32_t* of_photo = photos->flat<int32_t>().data();
    int32_t* prefix = prefixes->flat<int32_t>().data();
    int32_t* target = targets->flat<int32_t>().data();
    for (int64_t i = 0; i < captions.count; ++i) {
      const int32_t* const caption = captions.caption(i);
      const int64_t count = captions.Targets(i);
      of_photo = std::fill_n(of_photo, count, photo(i));
      target = std::copy_n(caption + 1, count, target);
      for (int64_t known = 1; known <= count; ++known, prefix += width) {
        std::fill(std::copy_n(caption, known, prefix), prefix + width, kPad);
      }
    }
  }
};

class ExpandCausal : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    OP_REQUIRES_OK(context, Check(context->input(0), context->input(1)));
    const Captions captions(context->input(1));
    const int64_t width = captions.length - 1;
    Tensor *prefixes, *targets;
    const tensorflow::TensorShape shape({captions.count, width});
    context->set_output(0, context->input(0));
    OP_REQUIRES_OK(context, context->allocate_output(1, shape, &prefixes));
    OP_REQUIRES_OK(context, context->allocate_output(2, shape, &targets));
    int32_t* prefix = prefixes->flat<int32_t>().data();
    int32_t* target = targets->flat<int32_t>().data();
    for (int64_t i = 0; i < captions.count; ++i, prefix += width) {
      const int32_t* const caption = captions.caption(i);
      // <end> is a target but never the end of a prefix.
      const int64_t count = captions.Targets(i);
      std::fill(std::copy_n(caption, count, prefix), prefix + width, kPad);
      target = std::copy_n(caption + 1, width, target);
    }
  }
};

// Both take each caption's photo, and give rows: photo, prefix, target.
#define REGISTER_EXPANSION(NAME, TARGET_RANK)                                     \
  REGISTER_OP("Tfcap" #NAME)                                                      \
      .Input("photo_of_caption: int32")                                           \
      .Input("tokens: int32")                                                     \
      .Output("photo: int32")                                                     \
      .Output("prefix: int32")                                                    \
      .Output("target: int32")                                                    \
      .SetShapeFn([](InferenceContext* c) {                                       \
        c->set_output(0, c->Vector(c->UnknownDim()));                             \
        c->set_output(1, c->Matrix(c->UnknownDim(), c->UnknownDim()));            \
        c->set_output(2, c->UnknownShapeOfRank(TARGET_RANK));                     \
        return absl::OkStatus();                                                  \
      });                                                                         \
  REGISTER_KERNEL_BUILDER(Name("Tfcap" #NAME).Device(tensorflow::DEVICE_CPU), NAME)

REGISTER_EXPANSION(ExpandPrefixes, 1);
REGISTER_EXPANSION(ExpandCausal, 2);

}  // namespace
}  // namespace tfcap
