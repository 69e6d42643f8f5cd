// No exception crosses into Rust: a C function runs its body within `guarded`.

#pragma once

#include <cstdlib>
#include <cstring>
#include <exception>

// Runs `work`. Returns null, or the text of the exception it threw, to be freed by `tks_free_text`.
template <typename Work>
char* guarded(Work&& work) {
  try {
    work();
    return nullptr;
  } catch (const std::exception& error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("an exception that is not a std::exception");
  }
}
