// HDF5's C API (libhdf5-dev 1.10.8). Macros and globals become functions, since Swift cannot import them.
// Beside it: what run files need of the kernel and of the CPU, and Glibc's module does not show to Swift.
#pragma once
#include <fcntl.h>
#include <linux/stat.h>
#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// Classes of property lists.
static inline hid_t h5_file_creation(void) { return H5P_FILE_CREATE; }
static inline hid_t h5_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t h5_group_creation(void) { return H5P_GROUP_CREATE; }
static inline hid_t h5_dataset_creation(void) { return H5P_DATASET_CREATE; }
static inline hid_t h5_link_creation(void) { return H5P_LINK_CREATE; }
static inline hid_t h5_dataset_transfer(void) { return H5P_DATASET_XFER; }
static inline hid_t h5_default(void) { return H5P_DEFAULT; }

// Types in files (little-endian, whatever the machine) and in memory.
static inline hid_t h5_u8(void) { return H5T_STD_U8LE; }
static inline hid_t h5_u32(void) { return H5T_STD_U32LE; }
static inline hid_t h5_u64(void) { return H5T_STD_U64LE; }
static inline hid_t h5_f32(void) { return H5T_IEEE_F32LE; }
static inline hid_t h5_f64(void) { return H5T_IEEE_F64LE; }
static inline hid_t h5_string(void) { return H5T_C_S1; }
static inline hid_t h5_memory_double(void) { return H5T_NATIVE_DOUBLE; }
static inline hid_t h5_memory_u32(void) { return H5T_NATIVE_UINT32; }
static inline hid_t h5_memory_u64(void) { return H5T_NATIVE_UINT64; }

// Flags and sizes.
static inline unsigned h5_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned h5_read_write(void) { return H5F_ACC_RDWR; }
static inline unsigned h5_exclusive(void) { return H5F_ACC_EXCL; }
static inline unsigned h5_swmr_write(void) { return H5F_ACC_SWMR_WRITE; }
static inline unsigned h5_swmr_read(void) { return H5F_ACC_SWMR_READ; }
static inline hsize_t h5_unlimited(void) { return H5S_UNLIMITED; }
static inline hid_t h5_all(void) { return H5S_ALL; }
static inline haddr_t h5_undefined_address(void) { return HADDR_UNDEF; }

/// Keeps libhdf5 from printing errors on this thread: they become sentences instead.
static inline void h5_quiet(void) { H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

/// True if an entry of the error stack says that memory could not be allocated. The library uses H5E_NOSPACE for memory and for
/// room in the file; that which is about the file comes with another major number than H5E_RESOURCE.
static inline bool h5_is_of_memory(const H5E_error2_t *entry) {
  return (entry->maj_num == H5E_RESOURCE && (entry->min_num == H5E_NOSPACE || entry->min_num == H5E_CANTALLOC)) ||
         strstr(entry->desc, "memory allocation failed") || strstr(entry->desc, "unable to allocate");
}

/// The kind of the link NAME: 0 hard, 1 soft, 64 external; negative on error.
static inline int h5_link_type(hid_t group, const char *name) {
  H5L_info_t info;
  return H5Lget_info(group, name, &info, H5P_DEFAULT) < 0 ? -1 : (int)info.type;
}

/// The type of the object behind NAME (H5I_GROUP, H5I_DATASET …).
static inline int h5_object_type(hid_t group, const char *name) {
  hid_t object = H5Oopen(group, name, H5P_DEFAULT);
  if (object < 0) return -1;
  int type = (int)H5Iget_type(object);
  H5Oclose(object);
  return type;
}

/// What kind of thing an object is (H5O_TYPE_GROUP …), where it lies, and how many attributes it has.
struct h5_object {
  int type;
  haddr_t address;
  long attributes;
};

/// Looks at an open object; negative on error.
static inline int h5_look(hid_t id, struct h5_object *object) {
  H5O_info_t info;
  if (H5Oget_info2(id, &info, H5O_INFO_BASIC | H5O_INFO_NUM_ATTRS) < 0) return -1;
  object->type = (int)info.type;
  object->address = info.addr;
  object->attributes = (long)info.num_attrs;
  return 0;
}

/// When the file PATH was made, in nanoseconds; 0 where the file system does not know. A number of a file that is gone is
/// given to another one, which has another birth.
static inline int64_t file_birth(const char *path) {
  struct statx status;
  if (syscall(SYS_statx, AT_FDCWD, path, 0, STATX_BTIME, &status) != 0 || !(status.stx_mask & STATX_BTIME)) return 0;
  return (int64_t)status.stx_btime.tv_sec * 1000000000 + status.stx_btime.tv_nsec;
}

/// Reserves disk space without changing a file's size; 0, or -1 with errno.
static inline int file_reserve(int descriptor, int64_t offset, int64_t length) {
  const int keepSize = 1;
  return (int)syscall(SYS_fallocate, descriptor, keepSize, offset, length);
}

/// Begins to send a part of a file to the disk; waits until it is there where asked to. The size of the file may not be.
static inline void file_send(int descriptor, int64_t offset, int64_t length, bool waits) {
  const unsigned before = 1, send = 2, after = 4;
  (void)syscall(SYS_sync_file_range, descriptor, offset, length, waits ? before | send | after : send);
}

// CRC32C (Castagnoli), by the CPU's instruction where it has one.
#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static inline uint32_t crc32c_fast(uint32_t crc, const unsigned char *p, size_t n) {
  uint64_t c = crc;
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    c = __builtin_ia32_crc32di(c, word);
  }
  for (; n; p++, n--) c = __builtin_ia32_crc32qi((uint32_t)c, *p);
  return (uint32_t)c;
}
static inline int crc32c_is_fast(void) { return __builtin_cpu_supports("sse4.2"); }
#else
static inline uint32_t crc32c_fast(uint32_t crc, const unsigned char *p, size_t n) { return crc; }
static inline int crc32c_is_fast(void) { return 0; }
#endif

static inline uint32_t crc32c_slow(uint32_t crc, const unsigned char *p, size_t n) {
  static uint32_t table[256];
  if (!table[1])
    for (int i = 255; i >= 0; i--) {
      uint32_t c = (uint32_t)i;
      for (int bit = 0; bit < 8; bit++) c = c & 1 ? c >> 1 ^ 0x82F63B78u : c >> 1;
      table[i] = c;
    }
  for (; n; p++, n--) crc = crc >> 8 ^ table[(crc ^ *p) & 255];
  return crc;
}

/// Goes on with a checksum; start with 0.
static inline uint32_t crc32c(uint32_t crc, const void *bytes, size_t n) {
  const unsigned char *p = (const unsigned char *)bytes;
  return ~(crc32c_is_fast() ? crc32c_fast(~crc, p, n) : crc32c_slow(~crc, p, n));
}
