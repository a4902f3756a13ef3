// Vector operations that Swift's SIMD types go through slow generic code for, or have no name for: bf16 to fp32 and back,
// its products, the square root, turning rows into columns. Each becomes a handful of instructions where it is called.
#pragma once
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
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

// Asks for the cache line of an address that will be read soon; any address may be asked for.
LANES_INLINE void lanes_prefetch(const void *p) { __builtin_prefetch(p); }

// Bit i: whether the i-th of sixteen floats is above t.
LANES_INLINE unsigned lanes_above(const void *p, float t) {
#ifdef __AVX512F__
  __m512 v;
  memcpy(&v, p, sizeof v);
  return _mm512_cmp_ps_mask(v, _mm512_set1_ps(t), _CMP_GT_OQ);
#else
  float values[16];
  memcpy(values, p, sizeof values);
  unsigned bits = 0;
  for (int i = 0; i < 16; i++) bits |= (unsigned)(values[i] > t) << i;
  return bits;
#endif
}

// Turns sixteen rows of sixteen words into columns: word c of row r goes to word r of row c. Strides in words.
LANES_INLINE void lanes_transpose(const unsigned int *from, long stride, unsigned int *to, long to_stride) {
  // Each round interleaves rows that are a half of what is left apart: after four, a row is a column.
  lanes_uint a[16], b[16];
  for (int i = 0; i < 16; i++) memcpy(&a[i], from + i * stride, sizeof a[i]);
#define LANES_ROUND(x, y)                                                                                              \
  for (int i = 0; i < 8; i++) {                                                                                        \
    y[2 * i] = __builtin_shufflevector(x[i], x[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);        \
    y[2 * i + 1] =                                                                                                     \
        __builtin_shufflevector(x[i], x[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);         \
  }
  LANES_ROUND(a, b)
  LANES_ROUND(b, a)
  LANES_ROUND(a, b)
  LANES_ROUND(b, a)
#undef LANES_ROUND
  for (int i = 0; i < 16; i++) memcpy(to + i * to_stride, &a[i], sizeof a[i]);
}

// x += a·b, lane by lane, where a lane of a and of b is two bf16: both products are added.
LANES_INLINE void lanes_add_products_bf16(void *x, const void *a, const void *b) {
#ifdef __AVX512BF16__
  __m512 sum;
  __m512bh pairs_a, pairs_b;
  memcpy(&sum, x, sizeof sum);
  memcpy(&pairs_a, a, sizeof pairs_a);
  memcpy(&pairs_b, b, sizeof pairs_b);
  sum = _mm512_dpbf16_ps(sum, pairs_a, pairs_b);
  memcpy(x, &sum, sizeof sum);
#else
  lanes_float sum, low_a, low_b, high_a, high_b;
  lanes_uint pairs_a, pairs_b, bits;
  memcpy(&sum, x, sizeof sum);
  memcpy(&pairs_a, a, sizeof pairs_a);
  memcpy(&pairs_b, b, sizeof pairs_b);
  bits = pairs_a << 16, memcpy(&low_a, &bits, sizeof bits);
  bits = pairs_b << 16, memcpy(&low_b, &bits, sizeof bits);
  bits = pairs_a & 0xFFFF0000u, memcpy(&high_a, &bits, sizeof bits);
  bits = pairs_b & 0xFFFF0000u, memcpy(&high_b, &bits, sizeof bits);
  sum = __builtin_elementwise_fma(low_a, low_b, sum);
  sum = __builtin_elementwise_fma(high_a, high_b, sum);
  memcpy(x, &sum, sizeof sum);
#endif
}

// Whether sixteen lanes are one register, of which there are 32; else they are two, of 16.
LANES_INLINE int lanes_are_one_register(void) {
#ifdef __AVX512F__
  return 1;
#else
  return 0;
#endif
}

// Instructions that this build uses and this CPU lacks: 1 AVX2 or FMA, 2 AVX-512, 4 its bf16 part. No vectors here: it
// runs before anybody knows that there are any.
static inline int lanes_missing(void) {
  int missing = 0;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) missing |= 1;
#ifdef __AVX512F__
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    missing |= 2;
#endif
#ifdef __AVX512BF16__
  if (!__builtin_cpu_supports("avx512bf16")) missing |= 4;
#endif
  return missing;
}

// The CPU that the kernels are compiled for: FORETOP_CPU, as Package.swift passes it on.
#define LANES_TEXT(x) #x
#define LANES_TEXT_OF(x) LANES_TEXT(x)
static inline const char *lanes_build(void) { return LANES_TEXT_OF(FORETOP_CPU); }

// The widest instructions that they were compiled with.
static inline const char *lanes_instructions(void) {
#if defined(__AVX512BF16__)
  return "avx512_bf16";
#elif defined(__AVX512F__)
  return "avx512";
#elif defined(__AVX2__)
  return "avx2";
#else
  return "baseline";
#endif
}
