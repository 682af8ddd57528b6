#pragma once
// The text of an exception, for where it cannot be caught: in another process.

#include <string>

namespace tandem::client {

struct ExceptionText {
  std::string type;  // as users write it: "tandem::KeyError", "std::out_of_range"
  // As UTF-8 (as_utf8); empty if it is not a std::exception. "; caused by TYPE: WHAT" follows for each nested
  // one.
  std::string what;
};

/// Returns the text of the exception being handled.
ExceptionText current_exception_text();

/// Prints the exception being handled to stderr, "NAME: TYPE: WHAT", in one write, so that the lines of
/// several processes do not mix.
void print_current_exception(const std::string& name) noexcept;

}  // namespace tandem::client
