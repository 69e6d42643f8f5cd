// The only C++ of the project: what libtorch offers in C++ alone, behind C functions. No exception leaves
// this file: every function that can fail catches std::exception and returns its text.

#include <torch/version.h>

extern "C" {

// libtorch's version, a static string.
const char* tks_libtorch_version() { return TORCH_VERSION; }

}  // extern "C"
