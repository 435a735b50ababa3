// Attention in groups: a photo's words to its cells, a row's words to one another.

#ifndef TFCAP_KERNELS_ATTENTION_H_
#define TFCAP_KERNELS_ATTENTION_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "operation.h"
#include "panels.h"

namespace tfcap {
namespace {

// Attention of queries over the keys of their group alone, by several heads; causal: a
// query sees no key after it, where queries are the same words as keys.
class Attention : public OpKernel {
 public:
  explicit Attention(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("heads", &heads_));
    OP_REQUIRES_OK(context, context->GetAttr("causal", &causal_));
  }

 protected:
  // What both passes are given, inputs 0 to 4: query [n, units], key and value
  // [m, units], group [n], and where the keys of each group begin, and end, [groups + 1].
  struct Given {
    explicit Given(OpKernelContext* context, int heads)
        : query(context->input(0).flat<float>().data()),
          key(context->input(1).flat<float>().data()),
          value(context->input(2).flat<float>().data()),
          units(context->input(0).dim_size(1)),
          size(units / std::max(heads, 1)),
          scale(1 / std::sqrt(static_cast<float>(size))),
          begins(context->input(4).vec<int32_t>()),
          queries(std::max<int64_t>(begins.size() - 1, 0)) {
      const auto group = context->input(3).vec<int32_t>();
      const int64_t keys = context->input(1).dim_size(0);
      valid = heads > 0 && units % heads == 0 && begins.size() > 0 &&
              context->input(1).dim_size(1) == units &&
              context->input(1).shape() == context->input(2).shape() &&
              group.size() == context->input(0).dim_size(0) && begins(0) >= 0 &&
              begins(begins.size() - 1) <= keys;
      for (int64_t i = 1; valid && i < begins.size(); ++i) {
        valid = begins(i - 1) <= begins(i);
      }
      for (int64_t i = 0; valid && i < group.size(); ++i) {
        valid = group(i) >= 0 && group(i) < static_cast<int64_t>(queries.size());
        if (valid) queries[group(i)].push_back(i);
      }
    }

    int64_t Keys(int64_t group) const { return begins(group + 1) - begins(group); }

    // Keys that the i-th query of a group sees.
    int64_t Seen(int64_t group, int64_t i, bool causal) const {
      if (!causal) return Keys(group);
      return std::clamp<int64_t>(queries[group][i] - begins(group) + 1, 0, Keys(group));
    }

    const float *const query, *const key, *const value;
    const int64_t units, size;
    const float scale;
    const tensorflow::TTypes<int32_t>::ConstVec begins;
    std::vector<std::vector<int64_t>> queries;  // of each group
    bool valid;
  };

  // A matrix to write to, row by row.
  struct Matrix {
    Matrix(int64_t rows, int64_t columns) : values(rows * columns), columns(columns) {
      for (int64_t i = 0; i < rows; ++i) rows_.push_back(&values[i * columns]);
    }
    Matrix(Matrix&&) = default;  // and no copy, whose rows would be this one's

    float* row(int64_t i) const { return rows_[i]; }
    float* const* rows() const { return rows_.data(); }

    Matrix Transposed() const {
      Matrix other(columns, rows_.size());
      for (int64_t i = 0; i < other.columns; ++i) {
        for (int64_t j = 0; j < columns; ++j) other.row(j)[i] = row(i)[j];
      }
      return other;
    }

    std::vector<float> values;
    int64_t columns;
    std::vector<float*> rows_;
  };

  // One head's part of rows of a tensor.
  template <typename Float>
  static std::vector<Float*> Parts(Float* from, const std::vector<int64_t>& rows,
                                   int64_t units, int64_t first) {
    std::vector<Float*> parts;
    for (const int64_t row : rows) parts.push_back(from + row * units + first);
    return parts;
  }

  // Products of a group's queries and keys in one head, scaled.
  Matrix Scores(const Given& given, int64_t group, int64_t first) const {
    const std::vector<int64_t>& queries = given.queries[group];
    const int64_t begin = given.begins(group), keys = given.Keys(group);
    Matrix scores(queries.size(), keys);
    Panels(given.key + begin * given.units + first, given.size, keys, 1, given.units)
        .AddProduct(Parts(given.query, queries, given.units, first).data(),
                    queries.size(), scores.rows());
    for (float& score : scores.values) score *= given.scale;
    return scores;
  }

  int heads_;
  bool causal_;
};

// Gives what queries see, [n, units], and the logarithms of their sums, [n, heads].
class Attend : public Attention {
 public:
  using Attention::Attention;

  void Compute(OpKernelContext* context) override {
    const Given given(context, heads_);
    RETURN_UNLESS(given.valid, "queries, keys and groups that do not fit");
    Tensor *seen, *sums;
    OP_REQUIRES_OK(context, context->allocate_output(0, context->input(0).shape(), &seen));
    const tensorflow::TensorShape shape({context->input(0).dim_size(0), heads_});
    OP_REQUIRES_OK(context, context->allocate_output(1, shape, &sums));
    float* const to = seen->flat<float>().data();
    float* const log_sums = sums->flat<float>().data();
    std::fill_n(to, seen->NumElements(), 0.0f);
    InBlocks(context, given.queries.size(), 1, [&](int64_t group, int64_t) {
      const std::vector<int64_t>& queries = given.queries[group];
      const int64_t begin = given.begins(group), keys = given.Keys(group);
      for (int head = 0; head < heads_; ++head) {
        const int64_t first = head * given.size;
        const Matrix shares = Scores(given, group, first);
        for (size_t i = 0; i < queries.size(); ++i) {
          log_sums[queries[i] * heads_ + head] =
              Share(shares.row(i), given.Seen(group, i, causal_), keys);
        }
        Panels(given.value + begin * given.units + first, keys, given.size, given.units, 1)
            .AddProduct(shares.rows(), queries.size(),
                        Parts(to, queries, given.units, first).data());
      }
    });
  }

 private:
  // Scores to shares in place, and the logarithm of the exponentials' sum.
  static float Share(float* scores, int64_t seen, int64_t keys) {
    std::fill(scores + seen, scores + keys, 0.0f);
    if (!seen) return 0;
    const float top = *std::max_element(scores, scores + seen);
    float sum = 0;
    EachVector(seen, [&](int64_t i, int64_t n) {
      const Floats likely = Exp(LoadSome(scores + i, n) - top);
      StoreSome(scores + i, likely, n);
    });
    for (int64_t i = 0; i < seen; ++i) sum += scores[i];
    for (int64_t i = 0; i < seen; ++i) scores[i] /= sum;
    return top + std::log(sum);
  }
};

// Of `Attend`'s inputs and outputs and the gradient of what was seen: those of query, key
// and value.
class AttendGradient : public Attention {
 public:
  using Attention::Attention;

  void Compute(OpKernelContext* context) override {
    const Given given(context, heads_);
    const tensorflow::TensorShape sums({context->input(0).dim_size(0), heads_});
    RETURN_UNLESS(given.valid && context->input(5).shape() == context->input(0).shape() &&
                      context->input(6).shape() == sums &&
                      context->input(7).shape() == context->input(0).shape(),
                  "gradients of another size than values");
    Tensor* outputs[3];
    for (int i = 0; i < 3; ++i) {
      OP_REQUIRES_OK(context, context->allocate_output(i, context->input(i).shape(),
                                                       &outputs[i]));
      std::fill_n(outputs[i]->flat<float>().data(), outputs[i]->NumElements(), 0.0f);
    }
    InBlocks(context, given.queries.size(), 1, [&](int64_t group, int64_t) {
      for (int head = 0; head < heads_; ++head) Head(context, given, group, head, outputs);
    });
  }

 private:
  void Head(OpKernelContext* context, const Given& given, int64_t group, int head,
            Tensor* const* outputs) const {
    const float* const seen = context->input(5).flat<float>().data();
    const float* const sums = context->input(6).flat<float>().data();
    const float* const upstream = context->input(7).flat<float>().data();
    const std::vector<int64_t>& queries = given.queries[group];
    const int64_t units = given.units, size = given.size, first = head * size;
    const int64_t begin = given.begins(group), keys = given.Keys(group);
    const auto moved = Parts(upstream, queries, units, first);
    const Matrix shares = Scores(given, group, first);
    const Matrix pulls(queries.size(), keys);
    Panels(given.value + begin * units + first, size, keys, 1, units)
        .AddProduct(moved.data(), queries.size(), pulls.rows());
    for (size_t i = 0; i < queries.size(); ++i) {
      const float* const found = seen + queries[i] * units + first;
      float mean = 0;
      for (int64_t j = 0; j < size; ++j) mean += found[j] * moved[i][j];
      const int64_t visible = given.Seen(group, i, causal_);
      const float sum = sums[queries[i] * heads_ + head];
      float *const share = shares.row(i), *const pull = pulls.row(i);
      EachVector(visible, [&](int64_t j, int64_t n) {
        const Floats here = Exp(LoadSome(share + j, n) - sum);
        StoreSome(share + j, here, n);
        StoreSome(pull + j, here * (LoadSome(pull + j, n) - mean) * given.scale, n);
      });
      std::fill(share + visible, share + keys, 0.0f);
      std::fill(pull + visible, pull + keys, 0.0f);
    }
    const auto output = [&](int i) { return outputs[i]->flat<float>().data(); };
    std::vector<int64_t> of_group(keys);
    std::iota(of_group.begin(), of_group.end(), begin);
    Panels(given.key + begin * units + first, keys, size, units, 1)
        .AddProduct(pulls.rows(), queries.size(),
                    Parts(output(0), queries, units, first).data());
    AddTransposed(pulls, Parts(given.query, queries, units, first), size,
                  Parts(output(1), of_group, units, first));
    AddTransposed(shares, moved, size, Parts(output(2), of_group, units, first));
  }

  // To rows c, of each key, the product of the other matrix, transposed, and rows b.
  static void AddTransposed(const Matrix& a, const std::vector<const float*>& b,
                            int64_t size, const std::vector<float*>& c) {
    const Matrix held(b.size(), size);
    for (size_t i = 0; i < b.size(); ++i) std::copy_n(b[i], size, held.row(i));
    Panels(held.values.data(), b.size(), size, size, 1)
        .AddProduct(a.Transposed().rows(), c.size(), c.data());
  }
};

absl::Status AttendShape(InferenceContext* c) {
  TF_RETURN_IF_ERROR(CheckRanks(c, {2, 2, 2, 1, 1}));
  int heads;
  TF_RETURN_IF_ERROR(c->GetAttr("heads", &heads));
  c->set_output(0, c->input(0));
  c->set_output(1, c->Matrix(c->Dim(c->input(0), 0), heads));
  return absl::OkStatus();
}

absl::Status AttendGradientShape(InferenceContext* c) {
  TF_RETURN_IF_ERROR(CheckRanks(c, {2, 2, 2, 1, 1, 2, 2, 2}));
  for (int i : {0, 1, 2}) c->set_output(i, c->input(i));
  return absl::OkStatus();
}

REGISTER_OP("TfcapAttend")
    .Input("query: float")
    .Input("key: float")
    .Input("value: float")
    .Input("group: int32")
    .Input("begins: int32")
    .Output("seen: float")
    .Output("log_sums: float")
    .Attr("heads: int")
    .Attr("causal: bool")
    .SetShapeFn(AttendShape);

REGISTER_OP("TfcapAttendGradient")
    .Input("query: float")
    .Input("key: float")
    .Input("value: float")
    .Input("group: int32")
    .Input("begins: int32")
    .Input("seen: float")
    .Input("log_sums: float")
    .Input("upstream: float")
    .Output("of_query: float")
    .Output("of_key: float")
    .Output("of_value: float")
    .Attr("heads: int")
    .Attr("causal: bool")
    .SetShapeFn(AttendGradientShape);

REGISTER(Attend);
REGISTER(AttendGradient);

}  // namespace
}  // namespace tfcap

#endif  // TFCAP_KERNELS_ATTENTION_H_
