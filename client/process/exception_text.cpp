#include "client/process/exception_text.hpp"

#include <cxxabi.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string_view>
#include <typeinfo>

#include "tandem/wire/utf8.hpp"

namespace tandem::client {
namespace {

std::string class_of_current_exception() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "unknown exception";
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> readable(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), std::free);
  std::string name = status == 0 ? readable.get() : type->name();
  // What std::throw_with_nested() throws is of a class of its own, which nobody has written.
  constexpr std::string_view wrapper = "std::_Nested_exception<";
  if (!name.starts_with(wrapper)) return name;
  return name.substr(wrapper.size(), name.rfind('>') - wrapper.size());
}

/// Adds the exception that `error` was thrown because of, if there is one, and its own causes.
void append_cause(const std::exception& error, std::string& what) {
  try {
    std::rethrow_if_nested(error);
  } catch (...) {
    const ExceptionText cause = current_exception_text();
    what += (what.empty() ? "" : "; ") + ("caused by " + cause.type) +
            (cause.what.empty() ? "" : ": " + cause.what);
  }
}

}  // namespace

ExceptionText current_exception_text() {
  try {
    throw;
  } catch (const std::exception& error) {
    const char* what = error.what();
    ExceptionText text{class_of_current_exception(), what == nullptr ? "" : wire::as_utf8(what)};
    append_cause(error, text.what);
    return text;
  } catch (...) {
    return {class_of_current_exception(), ""};
  }
}

void print_current_exception(const std::string& name) noexcept {
  const ExceptionText exception = current_exception_text();
  const std::string line =
      name + ": " + exception.type + (exception.what.empty() ? "" : ": " + exception.what) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = write(STDERR_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace tandem::client
