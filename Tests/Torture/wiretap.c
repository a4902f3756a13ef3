// A library that is loaded before a program (LD_PRELOAD) and listens to what it does to the files of one folder: it writes
// every change down in order, as a trace that crash states are made from, and it can let changes fail as a full or broken
// disk does.
//
//   WIRETAP_FOLDER   the folder; what lies elsewhere is left alone
//   WIRETAP_TRACE    where the trace goes; without it none is written
//   WIRETAP_COUNTER  a file of three 64-bit numbers: changes so far, changes refused, microseconds of the last refusal
//   WIRETAP_FAIL     FIRST:EVERY:MILLISECONDS:ERRNO:SHORT — refuses change number FIRST; then every EVERY-th (0: none); or
//                    all for some milliseconds; with SHORT, a write that is refused takes its first half before
//   WIRETAP_ONLY     changes of other files than those with this in their path below the folder are neither counted nor refused
//   WIRETAP_READ     SEED:EVERY:ERRNO — refuses reads of the files that changes may be refused of, one of EVERY at random; the third
//                    number of the counter is then how many
//   WIRETAP_KILL     the process is killed before change number so many
//   WIRETAP_CLOCK    seconds that the clock on the wall goes back, then forward, then right again, each for 0.1 s
//   WIRETAP_SET_BACK seconds that the clock on the wall is behind, from the first change on
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPEN = 1, WRITE, RESIZE, SYNC, SYNC_FOLDER, RENAME, UNLINK, MAKE_FOLDER, REMOVE_FOLDER, SAY };
enum { CREATED = 1 };

// An entry of the trace; path, other path, and the bytes of WRITE and SAY follow.
struct entry {
  uint32_t operation, flags;
  uint64_t file;
  int64_t offset, length;
  uint64_t nanoseconds;
  uint32_t path, other;
};

enum { MOST_FILES = 1 << 16 };
static pthread_mutex_t turn = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static char folder[PATH_MAX];
static int trace = -1;
static uint64_t numbers[MOST_FILES];       // of the file that a descriptor is open on; 0 is none of ours
static struct { dev_t device; ino_t inode; uint64_t number; } known[MOST_FILES];
static int known_count;
static uint64_t files;
static uint64_t own_counter[3];
static volatile uint64_t *counter = own_counter;
static long fail_first, fail_every, fail_for, kill_at, clock_jump, set_back, read_every;
static uint64_t read_state;
static int read_errno;
static const char *only;
static char chosen[MOST_FILES];            // whether a descriptor is of a file that changes are refused of
static int fail_errno, fail_short;
static uint64_t failing_since;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static uint64_t now(void) {
  struct timespec time;
  REAL(clock_gettime)(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

__attribute__((constructor)) static void begin(void) {
  const char *place = getenv("WIRETAP_FOLDER");
  if (!place || !realpath(place, folder)) return;
  const char *path = getenv("WIRETAP_TRACE");
  if (path) trace = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  path = getenv("WIRETAP_COUNTER");
  if (path) {
    int file = REAL(open)(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0 && REAL(ftruncate)(file, sizeof own_counter) == 0) {
      void *shared = mmap(0, sizeof own_counter, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
      if (shared != MAP_FAILED) counter = shared;
    }
    if (file >= 0) REAL(close)(file);
  }
  const char *failure = getenv("WIRETAP_FAIL");
  const char *word = getenv("WIRETAP_KILL");
  if (word) kill_at = atol(word);
  if ((word = getenv("WIRETAP_CLOCK"))) clock_jump = atol(word);
  if ((word = getenv("WIRETAP_SET_BACK"))) set_back = atol(word);
  if ((word = getenv("WIRETAP_READ"))) sscanf(word, "%lu:%ld:%d", &read_state, &read_every, &read_errno);
  only = getenv("WIRETAP_ONLY");
  if (failure) sscanf(failure, "%ld:%ld:%ld:%d:%d", &fail_first, &fail_every, &fail_for, &fail_errno, &fail_short);
}

// The path below the folder; null where it lies elsewhere.
static const char *inside(const char *path, char *whole) {
  if (!folder[0] || !path) return 0;
  if (path[0] == '/') {
    snprintf(whole, PATH_MAX, "%s", path);
  } else {
    char here[PATH_MAX / 2];
    if (!getcwd(here, sizeof here)) return 0;
    snprintf(whole, PATH_MAX, "%s/%s", here, path);
  }
  size_t length = strlen(folder);
  if (strncmp(whole, folder, length) || (whole[length] != '/' && whole[length])) return 0;
  return whole[length] ? whole + length + 1 : "";
}

static void put(const void *bytes, size_t count) {
  while (count > 0) {
    ssize_t done = REAL(write)(trace, bytes, count);
    if (done <= 0) abort();
    bytes = (const char *)bytes + done;
    count -= (size_t)done;
  }
}

static void note(uint32_t operation, uint32_t flags, uint64_t file, int64_t offset, int64_t length, const char *path,
                 const char *other, const void *bytes) {
  if (trace < 0) return;
  struct entry entry = {operation, flags, file, offset, length, now(), path ? (uint32_t)strlen(path) : 0,
                        other ? (uint32_t)strlen(other) : 0};
  put(&entry, sizeof entry);
  if (path) put(path, entry.path);
  if (other) put(other, entry.other);
  if (bytes && length > 0) put(bytes, (size_t)length);
}

static int is_chosen(const char *path) { return !only || strstr(path, only); }

// Whether this change is refused; errno says why.
static int refused(int is_counted) {
  if (!is_counted) return 0;
  uint64_t number = ++counter[0];
  if (kill_at && number == (uint64_t)kill_at) kill(getpid(), SIGKILL);
  if (!fail_first) return 0;
  int is_hit = number == (uint64_t)fail_first
    || (fail_every > 0 && number > (uint64_t)fail_first && (number - (uint64_t)fail_first) % (uint64_t)fail_every == 0)
    || (fail_for > 0 && failing_since && now() < failing_since + (uint64_t)fail_for * 1000000u);
  if (!is_hit) return 0;
  if (!failing_since) failing_since = now();
  counter[1]++;
  counter[2] = now() / 1000u;
  errno = fail_errno;
  return 1;
}

static uint64_t number(int file) { return file >= 0 && file < MOST_FILES ? numbers[file] : 0; }

// MARK: Opening

static void opened(int file, const char *path, int existed, int flags) {
  struct stat status;
  if (file < 0 || file >= MOST_FILES || fstat(file, &status) || !S_ISREG(status.st_mode)) return;
  int place = 0;
  while (place < known_count && (known[place].device != status.st_dev || known[place].inode != status.st_ino)) place++;
  if (place == known_count && known_count < MOST_FILES - 1) known_count++;
  if (!existed || known[place].number == 0) known[place].number = ++files;
  known[place].device = status.st_dev;
  known[place].inode = status.st_ino;
  numbers[file] = known[place].number;
  chosen[file] = (char)is_chosen(path);
  note(OPEN, existed ? 0 : CREATED, numbers[file], 0, 0, path, 0, 0);
  if (existed && (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY)
    note(RESIZE, 0, numbers[file], 0, 0, 0, 0, 0);
}

static int open_any(int at, const char *path, int flags, mode_t mode) {
  char whole[PATH_MAX];
  const char *own = at == AT_FDCWD || path[0] == '/' ? inside(path, whole) : 0;
  if (!own || (flags & O_DIRECTORY)) {
    int file = REAL(openat)(at, path, flags, mode);
    if (file >= 0 && file < MOST_FILES) numbers[file] = 0;
    return file;
  }
  pthread_mutex_lock(&turn);
  struct stat status;
  int existed = lstat(path, &status) == 0;
  int file = -1;
  if (((flags & O_CREAT) && !existed) || (existed && (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY)) {
    if (!refused(is_chosen(own))) file = REAL(openat)(at, path, flags, mode);
  } else {
    file = REAL(openat)(at, path, flags, mode);
  }
  int error = errno;
  if (file >= 0) opened(file, own, existed, flags);
  pthread_mutex_unlock(&turn);
  errno = error;
  return file;
}

static mode_t mode_of(int flags, va_list rest) { return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; }

#define OPENS(name, head, at)                      \
  {                                                \
    va_list rest;                                  \
    va_start(rest, flags);                         \
    mode_t mode = mode_of(flags, rest);            \
    va_end(rest);                                  \
    return open_any(at, path, flags, mode);        \
  }
int open(const char *path, int flags, ...) OPENS(open, , AT_FDCWD)
int open64(const char *path, int flags, ...) OPENS(open64, , AT_FDCWD)
int openat(int at, const char *path, int flags, ...) OPENS(openat, , at)
int openat64(int at, const char *path, int flags, ...) OPENS(openat64, , at)

int close(int file) {
  if (file >= 0 && file < MOST_FILES) numbers[file] = 0;
  return REAL(close)(file);
}

// MARK: Reading

// Whether this read is refused; errno says why.
static int refused_read(int file) {
  if (!read_every || !number(file) || !chosen[file]) return 0;
  pthread_mutex_lock(&turn);
  // splitmix64
  uint64_t x = read_state += 0x9E3779B97F4A7C15u;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  int is_hit = (x ^ x >> 31) % (uint64_t)read_every == 0;
  if (is_hit) counter[2]++;
  pthread_mutex_unlock(&turn);
  if (is_hit) errno = read_errno;
  return is_hit;
}

ssize_t read(int file, void *bytes, size_t count) {
  return refused_read(file) ? -1 : REAL(read)(file, bytes, count);
}
ssize_t pread(int file, void *bytes, size_t count, off_t offset) {
  return refused_read(file) ? -1 : REAL(pread)(file, bytes, count, offset);
}
ssize_t pread64(int file, void *bytes, size_t count, off64_t offset) { return pread(file, bytes, count, offset); }

// MARK: Writing

static ssize_t write_at(int file, const void *bytes, size_t count, off_t offset) {
  pthread_mutex_lock(&turn);
  ssize_t done = -1;
  int is_refused = refused(chosen[file]);
  if (is_refused && fail_short && count > 1) {
    // The next try is refused as a whole.
    count /= 2;
    fail_first = (long)counter[0] + 1;
    is_refused = 0;
  }
  if (!is_refused) done = REAL(pwrite)(file, bytes, count, offset);
  int error = errno;
  if (done > 0) note(WRITE, 0, number(file), offset, done, 0, 0, bytes);
  pthread_mutex_unlock(&turn);
  errno = error;
  return done;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  if (!number(file)) return REAL(pwrite)(file, bytes, count, offset);
  return write_at(file, bytes, count, offset);
}
ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) { return pwrite(file, bytes, count, offset); }

ssize_t write(int file, const void *bytes, size_t count) {
  if (!number(file)) {
    if (file != STDOUT_FILENO || trace < 0) return REAL(write)(file, bytes, count);
    pthread_mutex_lock(&turn);
    ssize_t done = REAL(write)(file, bytes, count);
    int error = errno;
    if (done > 0) note(SAY, 0, 0, 0, done, 0, 0, bytes);
    pthread_mutex_unlock(&turn);
    errno = error;
    return done;
  }
  pthread_mutex_lock(&turn);
  int is_appending = fcntl(file, F_GETFL) & O_APPEND;
  off_t place = is_appending ? lseek(file, 0, SEEK_END) : lseek(file, 0, SEEK_CUR);
  ssize_t done = write_at(file, bytes, count, place);
  if (done > 0) lseek(file, place + done, SEEK_SET);
  pthread_mutex_unlock(&turn);
  return done;
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset) {
  if (!number(file)) return REAL(pwritev)(file, parts, count, offset);
  ssize_t all = 0;
  for (int part = 0; part < count; part++) {
    ssize_t done = write_at(file, parts[part].iov_base, parts[part].iov_len, offset + all);
    if (done < 0) return all ? all : done;
    all += done;
    if ((size_t)done < parts[part].iov_len) break;
  }
  return all;
}

// Copies inside the kernel are written down as the writes that they are; those that share blocks are refused, and programs
// then copy.
ssize_t copy_file_range(int from, off64_t *from_place, int to, off64_t *to_place, size_t count, unsigned flags) {
  if (!number(to)) return REAL(copy_file_range)(from, from_place, to, to_place, count, flags);
  errno = EOPNOTSUPP;
  return -1;
}

int ioctl(int file, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  if (number(file)) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return ((int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl"))(file, request, argument);
}

int ftruncate(int file, off_t length) {
  if (!number(file)) return REAL(ftruncate)(file, length);
  pthread_mutex_lock(&turn);
  int status = refused(chosen[file]) ? -1 : REAL(ftruncate)(file, length);
  int error = errno;
  if (status == 0) note(RESIZE, 0, number(file), 0, length, 0, 0, 0);
  pthread_mutex_unlock(&turn);
  errno = error;
  return status;
}
int ftruncate64(int file, off64_t length) { return ftruncate(file, length); }

int truncate(const char *path, off_t length) {
  char whole[PATH_MAX];
  if (!inside(path, whole)) return REAL(truncate)(path, length);
  int file = open(path, O_WRONLY);
  if (file < 0) return -1;
  int status = ftruncate(file, length);
  int error = errno;
  close(file);
  errno = error;
  return status;
}
int truncate64(const char *path, off64_t length) { return truncate(path, length); }

int fallocate(int file, int mode, off_t offset, off_t length) {
  if (!number(file)) return REAL(fallocate)(file, mode, offset, length);
  pthread_mutex_lock(&turn);
  int status = refused(chosen[file]) ? -1 : REAL(fallocate)(file, mode, offset, length);
  int error = errno;
  struct stat after;
  if (status == 0 && !fstat(file, &after)) note(RESIZE, 0, number(file), 0, after.st_size, 0, 0, 0);
  pthread_mutex_unlock(&turn);
  errno = error;
  return status;
}
int fallocate64(int file, int mode, off64_t offset, off64_t length) { return fallocate(file, mode, offset, length); }

int posix_fallocate(int file, off_t offset, off_t length) {
  if (!number(file)) return REAL(posix_fallocate)(file, offset, length);
  return fallocate(file, 0, offset, length) == 0 ? 0 : errno;
}
int posix_fallocate64(int file, off64_t offset, off64_t length) { return posix_fallocate(file, offset, length); }

// MARK: Waiting for the disk

static int sync_any(int file, int is_data_only) {
  struct stat status;
  char link[64], path[PATH_MAX], whole[PATH_MAX];
  const char *own = 0;
  if (!number(file)) {
    if (!folder[0] || fstat(file, &status) || !S_ISDIR(status.st_mode)) goto foreign;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) goto foreign;
    path[length] = 0;
    own = inside(path, whole);
    if (!own) goto foreign;
  }
  pthread_mutex_lock(&turn);
  int result = refused(own ? is_chosen(own) : chosen[file]) ? -1 : is_data_only ? REAL(fdatasync)(file) : REAL(fsync)(file);
  int error = errno;
  if (result == 0 && own) note(SYNC_FOLDER, 0, 0, 0, 0, own, 0, 0);
  if (result == 0 && !own) note(SYNC, 0, number(file), 0, 0, 0, 0, 0);
  pthread_mutex_unlock(&turn);
  errno = error;
  return result;
foreign:
  return is_data_only ? REAL(fdatasync)(file) : REAL(fsync)(file);
}
int fsync(int file) { return sync_any(file, 0); }
int fdatasync(int file) { return sync_any(file, 1); }

// MARK: Names

// `call` is made unless the change is refused; a success is written down.
#define CHANGES(own, operation, other, call)                      \
  pthread_mutex_lock(&turn);                                      \
  int status = refused(is_chosen(own)) ? -1 : (call);                           \
  int error = errno;                                              \
  if (status == 0) note(operation, 0, 0, 0, 0, own, other, 0);    \
  pthread_mutex_unlock(&turn);                                    \
  errno = error;                                                  \
  return status;

int rename(const char *from, const char *to) {
  char first[PATH_MAX], second[PATH_MAX];
  const char *old = inside(from, first), *new = inside(to, second);
  if (!old || !new) return REAL(rename)(from, to);
  CHANGES(old, RENAME, new, REAL(rename)(from, to))
}

int unlink(const char *path) {
  char whole[PATH_MAX];
  const char *own = inside(path, whole);
  struct stat status_before;
  // Nothing is there: no change.
  if (!own || lstat(path, &status_before)) return REAL(unlink)(path);
  CHANGES(own, UNLINK, 0, REAL(unlink)(path))
}

int mkdir(const char *path, mode_t mode) {
  char whole[PATH_MAX];
  const char *own = inside(path, whole);
  if (!own) return REAL(mkdir)(path, mode);
  CHANGES(own, MAKE_FOLDER, 0, REAL(mkdir)(path, mode))
}

int rmdir(const char *path) {
  char whole[PATH_MAX];
  const char *own = inside(path, whole);
  if (!own) return REAL(rmdir)(path);
  CHANGES(own, REMOVE_FOLDER, 0, REAL(rmdir)(path))
}

// MARK: The clock on the wall

static int64_t shift(void) {
  if (set_back && counter[0] > 0) return -set_back;
  if (!clock_jump) return 0;
  uint64_t turn_number = now() / 100000000u % 3;
  return turn_number == 0 ? 0 : turn_number == 1 ? -clock_jump : clock_jump;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int status = REAL(clock_gettime)(clock, time);
  if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += shift();
  return status;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  int status = ((int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday"))(time, zone);
  if (status == 0) time->tv_sec += shift();
  return status;
}

time_t time(time_t *place) {
  struct timespec now_there;
  clock_gettime(CLOCK_REALTIME, &now_there);
  if (place) *place = now_there.tv_sec;
  return now_there.tv_sec;
}
