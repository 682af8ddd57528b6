#pragma once
// Included first by the headers on which all others are built: stops a compiler that was not told to use C++20
// with one line, in place of thousands of errors.
#if __cplusplus < 202002L
#error tandem needs C++20: compile with -std=c++20 (CMake: link tandem::client, or set CMAKE_CXX_STANDARD to 20)
#include <tandem_needs_cxx20>  // no such file: nothing after this is compiled
#endif
