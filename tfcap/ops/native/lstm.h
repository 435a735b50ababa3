// An LSTM over rows of unlike lengths: the longest first, side by side.

#ifndef TFCAP_KERNELS_LSTM_H_
#define TFCAP_KERNELS_LSTM_H_

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "operation.h"
#include "panels.h"

namespace tfcap {
namespace {

// Where rows of unlike lengths begin, one after another.
class Rows {
 public:
  explicit Rows(const Tensor& lengths) : begins(1), valid(true) {
    const auto length = lengths.vec<int32_t>();
    for (int64_t row = 0; row < length.size(); ++row) {
      valid = valid && length(row) >= 0;
      begins.push_back(begins.back() + length(row));
    }
  }

  int64_t count() const { return begins.size() - 1; }
  int64_t words() const { return begins.back(); }
  int64_t Length(int64_t row) const { return begins[row + 1] - begins[row]; }

  // The longest first.
  std::vector<int64_t> ByLength() const {
    std::vector<int64_t> order(count());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return Length(a) > Length(b); });
    return order;
  }

  std::vector<int64_t> begins;
  bool valid;
};

// Values before a word: of the word before it, of the state to begin with, or none.
struct Before {
  const float* operator()(int64_t t, int64_t row, int64_t word) const {
    if (t) return values + (word - 1) * units;
    return first ? first + row * units : nullptr;
  }

  const float *values, *first;
  int64_t units;
};

constexpr int64_t kRowsInBlock = 4 * kTileRows;

// Gates [words, 4 units] (enter, keep, new, leave, as Keras has them), before recurrence
// and after; lengths [rows]; recurrent weights [units, 4 units]; state to begin with, of
// each row [rows, units], or of none: zeros.
class Lstm : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor& recurrent = context->input(2);
    const Rows rows(context->input(1));
    const int64_t units = recurrent.dim_size(0);
    RETURN_UNLESS(rows.valid && recurrent.dim_size(1) == 4 * units &&
                      context->input(0).dim_size(0) == rows.words() &&
                      context->input(0).dim_size(1) == 4 * units,
                  "gates of another size than weights and rows");
    const bool begun = context->input(3).dim_size(0) > 0;
    const tensorflow::TensorShape state({rows.count(), units});
    RETURN_UNLESS(!begun || (context->input(3).shape() == state &&
                             context->input(4).shape() == state),
                  "a state for each row is needed");
    const tensorflow::TensorShape shape({rows.words(), units});
    Tensor *hidden, *cell, *gates;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &hidden));
    OP_REQUIRES_OK(context, context->allocate_output(1, shape, &cell));
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output(
                                {0}, 2, context->input(0).shape(), &gates));
    const float* const given = context->input(0).flat<float>().data();
    const auto first_of = [&](int i) {
      return begun ? context->input(i).flat<float>().data() : nullptr;
    };
    float* const g = gates->flat<float>().data();
    float* const h = hidden->flat<float>().data();
    float* const c = cell->flat<float>().data();
    const Before hidden_before{h, first_of(3), units}, cell_before{c, first_of(4), units};
    const Panels weights(recurrent.flat<float>().data(), units, 4 * units, 4 * units, 1);
    const std::vector<int64_t> order = rows.ByLength();
    InBlocks(context, rows.count(), kRowsInBlock, [&](int64_t first, int64_t end) {
      const float* before[kRowsInBlock];
      float* here[kRowsInBlock];
      for (int64_t t = 0; t < rows.Length(order[first]); ++t) {
        int64_t count = 0;
        for (; first + count < end && rows.Length(order[first + count]) > t; ++count) {
          const int64_t row = order[first + count], word = rows.begins[row] + t;
          here[count] = g + word * 4 * units;
          before[count] = hidden_before(t, row, word);
          if (g != given) {
            std::copy_n(given + word * 4 * units, 4 * units, here[count]);
          }
        }
        if (t || begun) weights.AddProduct(before, count, here);
        for (int64_t i = 0; i < count; ++i) {
          const int64_t row = order[first + i], word = rows.begins[row] + t;
          Step(here[i], cell_before(t, row, word), units, c + word * units,
               h + word * units);
        }
      }
    });
  }

 private:
  static void Step(float* gates, const float* before, int64_t units, float* cell,
                   float* hidden) {
    EachVector(units, [&](int64_t i, int64_t n) {
      const Floats enter = Sigmoid(LoadSome(gates + i, n));
      const Floats keep = Sigmoid(LoadSome(gates + units + i, n));
      const Floats fresh = Tanh(LoadSome(gates + 2 * units + i, n));
      const Floats leave = Sigmoid(LoadSome(gates + 3 * units + i, n));
      const Floats kept = before ? keep * LoadSome(before + i, n) : Floats{};
      const Floats now = kept + enter * fresh;
      StoreSome(gates + i, enter, n);
      StoreSome(gates + units + i, keep, n);
      StoreSome(gates + 2 * units + i, fresh, n);
      StoreSome(gates + 3 * units + i, leave, n);
      StoreSome(cell + i, now, n);
      StoreSome(hidden + i, leave * Tanh(now), n);
    });
  }
};

// Of `Lstm`'s inputs and outputs (gates after recurrence) and the hidden values' gradient:
// that of gates before recurrence; the hidden values before each word, [words, units],
// for the gradient of recurrent weights; that of the state to begin with, [rows, units].
class LstmGradient : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Rows rows(context->input(1));
    const int64_t units = context->input(2).dim_size(0);
    const tensorflow::TensorShape words({rows.words(), units});
    const tensorflow::TensorShape state({rows.count(), units});
    const bool begun = context->input(3).dim_size(0) > 0;
    bool fits = rows.valid && context->input(0).dim_size(0) == rows.words() &&
                context->input(0).dim_size(1) == 4 * units &&
                context->input(2).dim_size(1) == 4 * units;
    for (int i : {5, 6, 7}) fits = fits && context->input(i).shape() == words;
    for (int i : {3, 4}) fits = fits && (!begun || context->input(i).shape() == state);
    RETURN_UNLESS(fits, "gradients of another size than values");
    Tensor* outputs[4];
    const tensorflow::TensorShape shapes[] = {context->input(0).shape(), words, state,
                                              state};
    for (int i = 0; i < 4; ++i) {
      OP_REQUIRES_OK(context, context->allocate_output(i, shapes[i], &outputs[i]));
    }
    const auto input = [&](int i) { return context->input(i).flat<float>().data(); };
    const auto output = [&](int i) { return outputs[i]->flat<float>().data(); };
    const float *const g = input(0), *const c = input(6), *const upstream = input(7);
    const Before hidden_before{input(5), begun ? input(3) : nullptr, units};
    const Before cell_before{c, begun ? input(4) : nullptr, units};
    float *const moved = output(0), *const before = output(1), *const of_hidden = output(2),
                 *const of_cell = output(3);
    const Panels weights(input(2), 4 * units, units, 1, 4 * units);
    const std::vector<int64_t> order = rows.ByLength();
    InBlocks(context, rows.count(), kRowsInBlock, [&](int64_t first, int64_t end) {
      const float* here[kRowsInBlock];
      float* carried[kRowsInBlock];
      for (int64_t i = first; i < end; ++i) {
        std::fill_n(of_hidden + order[i] * units, units, 0.0f);
        std::fill_n(of_cell + order[i] * units, units, 0.0f);
      }
      for (int64_t t = rows.Length(order[first]) - 1; t >= 0; --t) {
        int64_t count = 0;
        for (; first + count < end && rows.Length(order[first + count]) > t; ++count) {
          const int64_t row = order[first + count], word = rows.begins[row] + t;
          here[count] = moved + word * 4 * units;
          carried[count] = of_hidden + row * units;
          StepBack(g + word * 4 * units, c + word * units, cell_before(t, row, word),
                   upstream + word * units, units, carried[count], of_cell + row * units,
                   moved + word * 4 * units);
          std::fill_n(carried[count], units, 0.0f);
          if (const float* const known = hidden_before(t, row, word)) {
            std::copy_n(known, units, before + word * units);
          } else {
            std::fill_n(before + word * units, units, 0.0f);
          }
        }
        if (t || begun) weights.AddProduct(here, count, carried);
      }
    });
  }

 private:
  static void StepBack(const float* gates, const float* cell, const float* before,
                       const float* upstream, int64_t units, const float* of_hidden,
                       float* of_cell, float* moved) {
    EachVector(units, [&](int64_t i, int64_t n) {
      const Floats enter = LoadSome(gates + i, n), keep = LoadSome(gates + units + i, n);
      const Floats fresh = LoadSome(gates + 2 * units + i, n);
      const Floats leave = LoadSome(gates + 3 * units + i, n);
      const Floats shown = Tanh(LoadSome(cell + i, n));
      const Floats h = LoadSome(of_hidden + i, n) + LoadSome(upstream + i, n);
      const Floats c = LoadSome(of_cell + i, n) + h * leave * (1.0f - shown * shown);
      const Floats kept = before ? LoadSome(before + i, n) : Floats{};
      StoreSome(moved + i, c * fresh * enter * (1.0f - enter), n);
      StoreSome(moved + units + i, c * kept * keep * (1.0f - keep), n);
      StoreSome(moved + 2 * units + i, c * enter * (1.0f - fresh * fresh), n);
      StoreSome(moved + 3 * units + i, h * shown * leave * (1.0f - leave), n);
      StoreSome(of_cell + i, c * keep, n);
    });
  }
};

absl::Status LstmShape(InferenceContext* c) {
  TF_RETURN_IF_ERROR(CheckRanks(c, {2, 1, 2, 2, 2}));
  const ShapeHandle words = c->Matrix(c->Dim(c->input(0), 0), c->Dim(c->input(2), 0));
  c->set_output(0, words);
  c->set_output(1, words);
  c->set_output(2, c->input(0));
  return absl::OkStatus();
}

absl::Status LstmGradientShape(InferenceContext* c) {
  TF_RETURN_IF_ERROR(CheckRanks(c, {2, 1, 2, 2, 2, 2, 2, 2}));
  const auto units = c->Dim(c->input(2), 0);
  c->set_output(0, c->input(0));
  c->set_output(1, c->Matrix(c->Dim(c->input(0), 0), units));
  for (int i : {2, 3}) c->set_output(i, c->Matrix(c->Dim(c->input(1), 0), units));
  return absl::OkStatus();
}

REGISTER_OP("TfcapLstm")
    .Input("gates: float")
    .Input("lengths: int32")
    .Input("recurrent: float")
    .Input("first_hidden: float")
    .Input("first_cell: float")
    .Output("hidden: float")
    .Output("cell: float")
    .Output("opened: float")
    .SetShapeFn(LstmShape);

REGISTER_OP("TfcapLstmGradient")
    .Input("opened: float")
    .Input("lengths: int32")
    .Input("recurrent: float")
    .Input("first_hidden: float")
    .Input("first_cell: float")
    .Input("hidden: float")
    .Input("cell: float")
    .Input("upstream: float")
    .Output("of_gates: float")
    .Output("before: float")
    .Output("of_first_hidden: float")
    .Output("of_first_cell: float")
    .SetShapeFn(LstmGradientShape);

REGISTER(Lstm);
REGISTER(LstmGradient);

}  // namespace
}  // namespace tfcap

#endif  // TFCAP_KERNELS_LSTM_H_
