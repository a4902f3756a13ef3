// The entry points of libgomp's thread team, which oneDNN runs on too: one team, no two pools fighting for the cores.
// Counters in raw memory that several of its threads look at, which Swift's Atomic has no room in.
#pragma once
void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_in_parallel(void);
void omp_set_num_threads(int threads);
void omp_set_dynamic(int dynamic);
void foretop_flush_subnormals(void);
void foretop_keep_subnormals(void);

// The number in a counter. What the thread that set it wrote before is visible afterwards.
static inline int foretop_counter(const int *counter) { return __atomic_load_n(counter, __ATOMIC_ACQUIRE); }

// Makes a counter −1, unless it is no longer `seen`: 1 for the one thread that did.
static inline int foretop_claim_counter(int *counter, int seen) {
  return __atomic_compare_exchange_n(counter, &seen, -1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void foretop_set_counter(int *counter, int number) {
  __atomic_store_n(counter, number, __ATOMIC_RELEASE);
}

// Waits for some nanoseconds.
static inline void foretop_pause(void) { __builtin_ia32_pause(); }
