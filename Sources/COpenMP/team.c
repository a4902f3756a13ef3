#include "COpenMP.h"
#include <xmmintrin.h>

// Flush results that are subnormal to zero, and take operands that are for zero.
enum { flush_and_zero = 0x8040 };

void foretop_flush_subnormals(void) { _mm_setcsr(_mm_getcsr() | flush_and_zero); }

void foretop_keep_subnormals(void) { _mm_setcsr(_mm_getcsr() & ~flush_and_zero); }

// A Swift closure, as Swift hands it over: code and what it has captured.
struct closure {
  __attribute__((swiftcall)) void (*code)(long worker, __attribute__((swift_context)) void *captured);
  void *captured;
};

static void enter(void *data) {
  struct closure *body = data;
  // The caller decides for itself; the team's other threads do nothing but compute.
  if (omp_get_thread_num() != 0) foretop_flush_subnormals();
  body->code(omp_get_thread_num(), body->captured);
}

// Swift's runTeam(_ threads: Int, _ body: (Int) -> Void): calls the body on every thread of the team, and waits.
__attribute__((swiftcall)) void foretop_run_team(
    long threads, __attribute__((swiftcall)) void (*code)(long, __attribute__((swift_context)) void *), void *captured) {
  struct closure body = {code, captured};
  GOMP_parallel(enter, &body, (unsigned)threads, 0);
}
