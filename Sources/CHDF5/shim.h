// HDF5's C API (libhdf5-dev 1.10.8). Macros and globals become functions, since Swift cannot import them.
#pragma once
#include <hdf5.h>
