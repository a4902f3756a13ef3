// MPI's macros and handles as functions, for Swift.
#pragma once
#include <mpi.h>

/// Begins MPI for a process whose calls all come from one thread. Errors are returned, and do not end the process.
static inline int mpi_begin(void) {
  int provided = MPI_THREAD_SINGLE;
  int status = MPI_Init_thread(0, 0, MPI_THREAD_FUNNELED, &provided);
  if (status != MPI_SUCCESS) return status;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  return MPI_SUCCESS;
}

static inline int mpi_end(void) { return MPI_Finalize(); }

static inline int mpi_rank(void) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

static inline int mpi_count(void) {
  int count = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &count);
  return count;
}

static inline int mpi_send(const void *memory, int bytes, int rank, MPI_Request *request) {
  return MPI_Isend(memory, bytes, MPI_BYTE, rank, 0, MPI_COMM_WORLD, request);
}

static inline int mpi_receive(void *memory, int bytes, int rank, MPI_Request *request) {
  return MPI_Irecv(memory, bytes, MPI_BYTE, rank, 0, MPI_COMM_WORLD, request);
}

/// Moves transfers on. `done` is 1 if all are complete.
static inline int mpi_test(int count, MPI_Request *requests, int *done) {
  return MPI_Testall(count, requests, done, MPI_STATUSES_IGNORE);
}

/// Gives every rank two numbers of each rank.
static inline int mpi_share_pair(const unsigned long long *own, unsigned long long *all) {
  return MPI_Allgather(own, 2, MPI_UNSIGNED_LONG_LONG, all, 2, MPI_UNSIGNED_LONG_LONG, MPI_COMM_WORLD);
}

/// The name of an error, in `text` of MPI_MAX_ERROR_STRING bytes.
static inline void mpi_words(int status, char *text) {
  int length = 0;
  MPI_Error_string(status, text, &length);
  text[length] = 0;
}

enum { mpi_most_words = MPI_MAX_ERROR_STRING };
