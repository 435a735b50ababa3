// Vectors of floats, as wide as the machine's, and functions of them.

#ifndef TFCAP_KERNELS_VECTORS_H_
#define TFCAP_KERNELS_VECTORS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace tfcap {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kTileRows = 12;
#elif defined(__AVX__)
constexpr int kLanes = 8, kTileRows = 6;
#else
constexpr int kLanes = 4, kTileRows = 4;
#endif

// Vectors of the compiler's (GCC, Clang), at any address.
typedef float Floats __attribute__((vector_size(4 * kLanes), aligned(4)));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes), aligned(4)));
typedef uint32_t Bits __attribute__((vector_size(4 * kLanes), aligned(4)));
// Twice as many lanes.
typedef float Pairs __attribute__((vector_size(8 * kLanes), aligned(4)));
typedef int32_t PairMask __attribute__((vector_size(8 * kLanes), aligned(4)));
typedef uint16_t Halves __attribute__((vector_size(4 * kLanes), aligned(2)));

template <typename Vector>
Vector Load(const void* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

template <typename Vector>
void Store(void* to, const Vector& vector) {
  std::memcpy(to, &vector, sizeof vector);
}

Floats All(float value) { return value - Floats{}; }

// To a few units in the last place; of what is below -87 or above 88 it is theirs.
// Source: Cephes, expf.c (Moshier 1992): remainder of log(2), polynomial of degree 7.
Floats Exp(Floats x) {
  constexpr float kRound = 12582912;  // 1.5 * 2^23: adding it leaves whole numbers
  x = x < -87.0f ? All(-87.0f) : x;
  x = x > 88.0f ? All(88.0f) : x;
  const Floats shifted = x * 1.44269504f + kRound;
  const Floats whole = shifted - kRound;
  x = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  Floats sum = x * 1.9875691500e-4f + 1.3981999507e-3f;
  sum = sum * x + 8.3334519073e-3f;
  sum = sum * x + 4.1665795894e-2f;
  sum = sum * x + 1.6666665459e-1f;
  sum = sum * x + 5.0000001201e-1f;
  sum = sum * (x * x) + x + 1.0f;
  const Ints power = (Load<Ints>(&shifted) + 127) << 23;  // the exponent's bits
  return sum * Load<Floats>(&power);
}

Floats Sigmoid(Floats x) { return 1.0f / (1.0f + Exp(-x)); }

// To 1e-7, not to a share of itself near zero.
Floats Tanh(Floats x) { return 1.0f - 2.0f / (1.0f + Exp(2.0f * x)); }

// `work(vector, its place, how many of its lanes count)` over so many floats.
template <typename Work>
void EachVector(int64_t count, const Work& work) {
  for (int64_t i = 0; i < count; i += kLanes) work(i, std::min<int64_t>(kLanes, count - i));
}

// Lanes past the end are zero.
Floats LoadSome(const float* from, int64_t count) {
  if (count == kLanes) return Load<Floats>(from);
  Floats vector{};
  std::memcpy(&vector, from, count * sizeof(float));
  return vector;
}

void StoreSome(float* to, const Floats& vector, int64_t count) {
  std::memcpy(to, &vector, count * sizeof(float));
}

}  // namespace
}  // namespace tfcap

#endif  // TFCAP_KERNELS_VECTORS_H_
