// oneDNN's C API (libdnnl-dev 2.6). Macros become functions, since Swift cannot import them.
#pragma once
#include <oneapi/dnnl/dnnl.h>
