#include "client/process/exception_text.hpp"

#include <cxxabi.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string_view>
#include <typeinfo>

#include "tandem/error.hpp"

namespace tandem::client {
namespace {

/// "key_error" → "KeyError": our classes are instances of one template, whose type name is of no use.
std::string class_of(Code code) {
  switch (code) {
    case Code::overflow: return "tandem::OverflowError";
    case Code::deadlock: return "tandem::DeadlockError";
    case Code::broken_barrier: return "tandem::BrokenBarrierError";
    default: break;
  }
  std::string name = "tandem::";
  bool upper = true;
  for (char c : name_of(code)) {
    if (c != '_') name += upper ? static_cast<char>(c - 'a' + 'A') : c;
    upper = c == '_';
  }
  return name;
}

std::string class_of_current_exception() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "unknown exception";
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> readable(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), std::free);
  return status == 0 ? readable.get() : type->name();
}

}  // namespace

ExceptionText current_exception_text() {
  try {
    throw;
  } catch (const Error& error) {
    return {class_of(error.code()), error.what()};
  } catch (const std::exception& error) {
    return {class_of_current_exception(), error.what()};
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
