// Products of matrices, for parts too small or too scattered for one of TensorFlow's.

#ifndef TFCAP_KERNELS_PANELS_H_
#define TFCAP_KERNELS_PANELS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "vectors.h"

namespace tfcap {
namespace {

// A matrix [depth, columns] laid out for `AddProduct`: columns in panels of two vectors,
// each panel row by row, so that it is read in one go and stays in the nearest cache.
class Panels {
 public:
  static constexpr int kWidth = 2 * kLanes;
  static constexpr int kDepth = 16384 / (4 * kWidth);

  // Element (k, j) of the matrix is `from[k * down + j * across]`.
  Panels(const float* from, int64_t depth, int64_t columns, int64_t down, int64_t across)
      : depth_(depth), columns_(columns), count_((columns + kWidth - 1) / kWidth) {
    values_.resize(count_ * depth_ * kWidth);
    for (int64_t j = 0; j < columns; ++j) {
      float* const to = &values_[(j / kWidth) * depth_ * kWidth + j % kWidth];
      for (int64_t k = 0; k < depth; ++k) to[k * kWidth] = from[k * down + j * across];
    }
  }

  // Adds to rows c, [columns] each, rows a, [depth] each, times this matrix.
  void AddProduct(const float* const* a, int64_t rows, float* const* c) const {
    for (int64_t first = 0; first < depth_; first += kDepth) {
      const int64_t depth = std::min<int64_t>(kDepth, depth_ - first);
      for (int64_t panel = 0; panel < count_; ++panel) {
        const float* const b = &values_[(panel * depth_ + first) * kWidth];
        for (int64_t row = 0; row < rows; row += kTileRows) {
          Tiles<kTileRows>(a + row, first, b, depth, rows - row, c + row, panel * kWidth);
        }
      }
    }
  }

 private:
  // The first `rows` of so many rows, by the tile of just that height.
  template <int kRows>
  void Tiles(const float* const* a, int64_t first, const float* b, int64_t depth,
             int64_t rows, float* const* c, int64_t column) const {
    if (rows >= kRows) return Tile<kRows>(a, first, b, depth, c, column);
    if constexpr (kRows > 1) Tiles<kRows - 1>(a, first, b, depth, rows, c, column);
  }

  // Two vectors of each of so many rows, in registers.
  template <int kRows>
  void Tile(const float* const* a, int64_t first, const float* b, int64_t depth,
            float* const* c, int64_t column) const {
    Floats left[kRows] = {}, right[kRows] = {};
    const float* from[kRows];
    for (int row = 0; row < kRows; ++row) from[row] = a[row] + first;
    for (int64_t k = 0; k < depth; ++k, b += kWidth) {
      const Floats b_left = Load<Floats>(b), b_right = Load<Floats>(b + kLanes);
#pragma GCC unroll 16
      for (int row = 0; row < kRows; ++row) {
        const Floats value = All(from[row][k]);
        left[row] += value * b_left;
        right[row] += value * b_right;
      }
    }
    const int64_t columns = columns_ - column;
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
      AddSome(c[row] + column, left[row], columns);
      AddSome(c[row] + column + kLanes, right[row], columns - kLanes);
    }
  }

  static void AddSome(float* to, const Floats& vector, int64_t count) {
    if (count >= kLanes) return Store(to, Load<Floats>(to) + vector);
    if (count > 0) StoreSome(to, LoadSome(to, count) + vector, count);
  }

  const int64_t depth_, columns_, count_;
  std::vector<float> values_;
};

}  // namespace
}  // namespace tfcap

#endif  // TFCAP_KERNELS_PANELS_H_
