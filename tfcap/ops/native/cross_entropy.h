// Cross-entropy with label smoothing, and its gradient: tfcap/ops/cross_entropy.py.

#ifndef TFCAP_KERNELS_CROSS_ENTROPY_H_
#define TFCAP_KERNELS_CROSS_ENTROPY_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "operation.h"
#include "vectors.h"

namespace tfcap {
namespace {

// Logits [tokens, vocabulary] -> losses [tokens] against target [tokens], and their
// gradient [tokens, vocabulary].
class CrossEntropy : public OpKernel {
 public:
  explicit CrossEntropy(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("smoothing", &smoothing_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor &logits = context->input(0), &target = context->input(1);
    const int64_t tokens = logits.dim_size(0), vocabulary = logits.dim_size(1);
    RETURN_UNLESS(target.dim_size(0) == tokens, "a target for each token is needed");
    Tensor *losses, *gradient;
    OP_REQUIRES_OK(context, context->allocate_output(0, {tokens}, &losses));
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output(
                                {0}, 1, logits.shape(), &gradient));
    const auto of_token = target.vec<int32_t>();
    for (int64_t i = 0; i < tokens; ++i) {
      RETURN_UNLESS(of_token(i) >= 0 && of_token(i) < vocabulary,
                    "a target outside of the vocabulary");
    }
    const float* const from = logits.flat<float>().data();
    float* const to = gradient->flat<float>().data();
    float* const loss = losses->flat<float>().data();
    InBlocks(context, tokens, 16, [&](int64_t first, int64_t end) {
      for (int64_t i = first; i < end; ++i) {
        loss[i] = One(from + i * vocabulary, of_token(i), vocabulary, to + i * vocabulary);
      }
    });
  }

 private:
  float One(const float* logits, int64_t target, int64_t vocabulary,
            float* gradient) const {
    const float aimed_at = logits[target];
    Floats most = All(logits[0]), all{};
    EachVector(vocabulary, [&](int64_t i, int64_t n) {
      const Floats here = n == kLanes ? Load<Floats>(logits + i) : Tail(logits + i, n);
      most = here > most ? here : most;
      all += LoadSome(logits + i, n);
    });
    float top = most[0];
    for (int lane = 1; lane < kLanes; ++lane) top = std::max(top, most[lane]);
    Floats sums{};
    EachVector(vocabulary, [&](int64_t i, int64_t n) {
      Floats likely = Exp(LoadSome(logits + i, n) - top);
      if (n < kLanes) likely = LoadSome(reinterpret_cast<float*>(&likely), n);
      sums += likely;
      StoreSome(gradient + i, likely, n);
    });
    const float sum = Sum(sums), scale = 1 / sum, even = smoothing_ / vocabulary;
    EachVector(vocabulary, [&](int64_t i, int64_t n) {
      StoreSome(gradient + i, LoadSome(gradient + i, n) * scale - even, n);
    });
    gradient[target] -= 1 - smoothing_;
    // Not a product: a barred word may have minus infinity.
    const float evenly = smoothing_ > 0 ? even * Sum(all) : 0;
    return top + std::log(sum) - (1 - smoothing_) * aimed_at - evenly;
  }

  // Lanes past the end repeat the first.
  static Floats Tail(const float* from, int64_t count) {
    Floats vector = All(from[0]);
    std::memcpy(&vector, from, count * sizeof(float));
    return vector;
  }

  static float Sum(const Floats& vector) {
    float sum = 0;
    for (int lane = 0; lane < kLanes; ++lane) sum += vector[lane];
    return sum;
  }

  float smoothing_;
};

absl::Status CrossEntropyShape(InferenceContext* c) {
  TF_RETURN_IF_ERROR(CheckRanks(c, {2, 1}));
  c->set_output(0, c->input(1));
  c->set_output(1, c->input(0));
  return absl::OkStatus();
}

REGISTER_OP("TfcapCrossEntropy")
    .Input("logits: float")
    .Input("target: int32")
    .Output("losses: float")
    .Output("gradient: float")
    .Attr("smoothing: float")
    .SetShapeFn(CrossEntropyShape);

REGISTER(CrossEntropy);

}  // namespace
}  // namespace tfcap

#endif  // TFCAP_KERNELS_CROSS_ENTROPY_H_
