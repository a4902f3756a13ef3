// A library that is loaded before a program (LD_PRELOAD) and counts what is allocated while it is told to: by the program
// and Swift's libraries, and apart from that by oneDNN, whose calls allocate their lists of arguments.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void *(*next_memalign)(size_t, size_t);

static atomic_int is_counting;
static atomic_long own, others;

// Where the code of oneDNN and of what it allocates with lies.
enum { MOST_RANGES = 64 };
static struct {
  uintptr_t first, end;
} ranges[MOST_RANGES];
static int range_count;

static int note_ranges(struct dl_phdr_info *library, size_t size, void *data) {
  (void)size, (void)data;
  static const char *const names[] = {"libdnnl", "libstdc++", "libgomp"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!library->dlpi_name || !strstr(library->dlpi_name, names[i])) continue;
    for (int k = 0; k < library->dlpi_phnum && range_count < MOST_RANGES; k++) {
      if (library->dlpi_phdr[k].p_type != PT_LOAD) continue;
      ranges[range_count].first = library->dlpi_addr + library->dlpi_phdr[k].p_vaddr;
      ranges[range_count].end = ranges[range_count].first + library->dlpi_phdr[k].p_memsz;
      range_count++;
    }
  }
  return 0;
}

static void count(const void *caller) {
  if (!atomic_load(&is_counting)) return;
  for (int i = 0; i < range_count; i++) {
    if ((uintptr_t)caller >= ranges[i].first && (uintptr_t)caller < ranges[i].end) {
      atomic_fetch_add(&others, 1);
      return;
    }
  }
  atomic_fetch_add(&own, 1);
}

void allocations_start(void) {
  range_count = 0;
  dl_iterate_phdr(note_ranges, NULL);
  atomic_store(&own, 0);
  atomic_store(&others, 0);
  atomic_store(&is_counting, 1);
}

void allocations_stop(long *by_program, long *by_others) {
  atomic_store(&is_counting, 0);
  *by_program = atomic_load(&own);
  *by_others = atomic_load(&others);
}

// dlsym itself allocates: from here, until the next functions are known.
static char first_memory[1 << 16];
static size_t first_used;

static void *first(size_t size) {
  size_t place = (first_used + 15) / 16 * 16;
  if (place + size > sizeof first_memory) return NULL;
  first_used = place + size;
  return first_memory + place;
}

static void find(void) {
  static atomic_int is_finding;
  if (next_memalign || atomic_exchange(&is_finding, 1)) return;
  next_calloc = dlsym(RTLD_NEXT, "calloc");
  next_realloc = dlsym(RTLD_NEXT, "realloc");
  next_malloc = dlsym(RTLD_NEXT, "malloc");
  next_memalign = dlsym(RTLD_NEXT, "memalign");
}

void *malloc(size_t size) {
  find();
  count(__builtin_return_address(0));
  return next_malloc ? next_malloc(size) : first(size);
}

void *calloc(size_t items, size_t size) {
  find();
  count(__builtin_return_address(0));
  return next_calloc ? next_calloc(items, size) : first(items * size);
}

void *realloc(void *old, size_t size) {
  find();
  count(__builtin_return_address(0));
  if ((char *)old < first_memory || (char *)old >= first_memory + sizeof first_memory)
    return next_realloc ? next_realloc(old, size) : NULL;
  void *new = malloc(size);
  if (new) memcpy(new, old, size);
  return new;
}

void *memalign(size_t alignment, size_t size) {
  find();
  count(__builtin_return_address(0));
  return next_memalign ? next_memalign(alignment, size) : NULL;
}

void *aligned_alloc(size_t alignment, size_t size) {
  find();
  count(__builtin_return_address(0));
  return next_memalign ? next_memalign(alignment, size) : NULL;
}

int posix_memalign(void **out, size_t alignment, size_t size) {
  find();
  count(__builtin_return_address(0));
  *out = next_memalign ? next_memalign(alignment, size) : NULL;
  return *out ? 0 : ENOMEM;
}

void free(void *pointer) {
  static void (*next_free)(void *);
  if ((char *)pointer >= first_memory && (char *)pointer < first_memory + sizeof first_memory) return;
  if (!next_free) next_free = dlsym(RTLD_NEXT, "free");
  next_free(pointer);
}
