// The entry points of libgomp's thread team, which oneDNN runs on too: one team, no two pools fighting for the cores.
#pragma once
void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_in_parallel(void);
void omp_set_num_threads(int threads);
void omp_set_dynamic(int dynamic);
void foretop_flush_subnormals(void);
void foretop_keep_subnormals(void);
