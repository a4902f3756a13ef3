// Vector operations that Swift's SIMD types go through slow generic code for: bf16 to fp32 and back, and the square
// root. Each becomes a handful of instructions where it is called.
#pragma once
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

typedef float lanes_float __attribute__((ext_vector_type(16)));
typedef unsigned int lanes_uint __attribute__((ext_vector_type(16)));
typedef unsigned short lanes_ushort __attribute__((ext_vector_type(16)));

#define LANES_INLINE static inline __attribute__((always_inline))

// Swift does not import functions of vectors; through pointers, once inlined, the vectors stay in registers all the same.

LANES_INLINE void lanes_load_bf16(const void *p, void *x) {
  lanes_ushort halves;
  memcpy(&halves, p, sizeof halves);
  lanes_uint bits = __builtin_convertvector(halves, lanes_uint) << 16;
  memcpy(x, &bits, sizeof bits);
}

// Rounds to the nearest, ties to even. (The CPU's own instruction takes numbers below 1e-38 for 0.)
LANES_INLINE lanes_ushort lanes_halves(const void *x) {
#ifdef __AVX512BF16__
  __m512 v;
  memcpy(&v, x, sizeof v);
  __m256bh rounded = _mm512_cvtneps_pbh(v);
  lanes_ushort halves;
  memcpy(&halves, &rounded, sizeof halves);
  return halves;
#else
  lanes_uint bits;
  memcpy(&bits, x, sizeof bits);
  return __builtin_convertvector((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16, lanes_ushort);
#endif
}

LANES_INLINE void lanes_store_bf16(const void *x, void *p) {
  lanes_ushort halves = lanes_halves(x);
  memcpy(p, &halves, sizeof halves);
}

// The first n of sixteen, 0 < n < 16; loading makes the rest zero. No calls: they would move every vector that is alive
// through memory.

#ifdef __AVX512BW__
#define LANES_MASK(n) ((__mmask16)((1u << (n)) - 1u))

LANES_INLINE void lanes_load_part_f32(const void *p, long n, void *x) {
  __m512 v = _mm512_maskz_loadu_ps(LANES_MASK(n), p);
  memcpy(x, &v, sizeof v);
}

LANES_INLINE void lanes_store_part_f32(const void *x, void *p, long n) {
  __m512 v;
  memcpy(&v, x, sizeof v);
  _mm512_mask_storeu_ps(p, LANES_MASK(n), v);
}

LANES_INLINE void lanes_load_part_bf16(const void *p, long n, void *x) {
  __m512i bits = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(LANES_MASK(n), p)), 16);
  memcpy(x, &bits, sizeof bits);
}

LANES_INLINE void lanes_store_part_bf16(const void *x, void *p, long n) {
  lanes_ushort halves = lanes_halves(x);
  __m256i v;
  memcpy(&v, &halves, sizeof v);
  _mm256_mask_storeu_epi16(p, LANES_MASK(n), v);
}
#else
LANES_INLINE void lanes_load_part_f32(const void *p, long n, void *x) {
  float values[16] = {0};
  for (long i = 0; i < n; i++) memcpy(values + i, (const char *)p + 4 * i, 4);
  memcpy(x, values, sizeof values);
}

LANES_INLINE void lanes_store_part_f32(const void *x, void *p, long n) {
  for (long i = 0; i < n; i++) memcpy((char *)p + 4 * i, (const char *)x + 4 * i, 4);
}

LANES_INLINE void lanes_load_part_bf16(const void *p, long n, void *x) {
  unsigned short values[16] = {0};
  for (long i = 0; i < n; i++) memcpy(values + i, (const char *)p + 2 * i, 2);
  lanes_load_bf16(values, x);
}

LANES_INLINE void lanes_store_part_bf16(const void *x, void *p, long n) {
  lanes_ushort halves = lanes_halves(x);
  for (long i = 0; i < n; i++) memcpy((char *)p + 2 * i, (const char *)&halves + 2 * i, 2);
}
#endif

// Puts a value into the lanes from n on.
LANES_INLINE void lanes_fill(void *x, long n, float value) {
  const lanes_uint index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  lanes_float v;
  memcpy(&v, x, sizeof v);
  v = index < (unsigned int)n ? v : (lanes_float)value;
  memcpy(x, &v, sizeof v);
}

LANES_INLINE void lanes_sqrt(void *x) {
  lanes_float v;
  memcpy(&v, x, sizeof v);
  v = __builtin_elementwise_sqrt(v);
  memcpy(x, &v, sizeof v);
}

// Instructions that this build uses and this CPU lacks: 1 AVX2 or FMA, 2 AVX-512. No vectors here: it runs before anybody
// knows that there are any.
static inline int lanes_missing(void) {
  int missing = 0;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) missing |= 1;
#ifdef __AVX512F__
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    missing |= 2;
#endif
  return missing;
}
