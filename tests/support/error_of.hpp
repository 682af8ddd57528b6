#pragma once
// What an exception says.

#include <gtest/gtest.h>

#include <exception>
#include <string>

namespace tandem::test {

/// The text of the E that `body` throws; fails the test, and gives "", when it throws none.
template <class E, class F>
std::string error_of(F&& body) {
  try {
    body();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& other) {
    ADD_FAILURE() << "another exception: " << other.what();
    return "";
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

}  // namespace tandem::test
