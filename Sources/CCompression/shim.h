// zlib and zstd, as far as texts are unpacked by them.
#pragma once
#include <zlib.h>
#include <zstd.h>

// A macro: files of gzip alone, with the largest window.
static inline int gzip_begin(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
