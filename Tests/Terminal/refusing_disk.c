// A library for LD_PRELOAD: while the file $REFUSING_DISK is there, the disk takes nothing of files named run.journal; fdatasync
// fails, as it does where a disk is broken.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fdatasync(int file) {
  char place[64], path[PATH_MAX + 1];
  snprintf(place, sizeof place, "/proc/self/fd/%d", file);
  ssize_t count = readlink(place, path, PATH_MAX);
  const char *flag = getenv("REFUSING_DISK");
  if (count > 0 && flag && access(flag, F_OK) == 0) {
    path[count] = 0;
    if (strstr(path, "/run.journal")) {
      errno = EIO;
      return -1;
    }
  }
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}
