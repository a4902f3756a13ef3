// Vector operations that Swift's SIMD types go through slow generic code for: bf16 to fp32 and back, and the square
// root. Each becomes a handful of instructions where it is called.
#pragma once
#include <string.h>

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

// Rounds to the nearest, ties to even.
LANES_INLINE void lanes_store_bf16(const void *x, void *p) {
  lanes_uint bits;
  memcpy(&bits, x, sizeof bits);
  lanes_ushort halves = __builtin_convertvector((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16, lanes_ushort);
  memcpy(p, &halves, sizeof halves);
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
