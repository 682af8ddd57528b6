#include "client/pool/outcome.hpp"

#include <any>
#include <array>
#include <cstdint>
#include <functional>
#include <new>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <utility>
#include <variant>

#include "client/process/exception_text.hpp"
#include "tandem/error.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem::client {
namespace {

using Make = std::exception_ptr (*)(const std::string& text);

template <class E>
std::exception_ptr with_text(const std::string& text) {
  return std::make_exception_ptr(E(text));
}
template <class E>
std::exception_ptr without_text(const std::string&) {
  return std::make_exception_ptr(E());
}

/// The standard exceptions that can be recreated with the same text.
constexpr std::array<std::pair<std::string_view, Make>, 14> standard_exceptions{{
    {"std::logic_error", with_text<std::logic_error>},
    {"std::invalid_argument", with_text<std::invalid_argument>},
    {"std::domain_error", with_text<std::domain_error>},
    {"std::length_error", with_text<std::length_error>},
    {"std::out_of_range", with_text<std::out_of_range>},
    {"std::runtime_error", with_text<std::runtime_error>},
    {"std::range_error", with_text<std::range_error>},
    {"std::overflow_error", with_text<std::overflow_error>},
    {"std::underflow_error", with_text<std::underflow_error>},
    {"std::bad_alloc", without_text<std::bad_alloc>},
    {"std::bad_cast", without_text<std::bad_cast>},
    {"std::bad_optional_access", without_text<std::bad_optional_access>},
    {"std::bad_function_call", without_text<std::bad_function_call>},
    {"std::bad_any_cast", without_text<std::bad_any_cast>},
}};

const std::error_category* category_named(std::string_view name) {
  if (name == std::generic_category().name()) return &std::generic_category();
  if (name == std::system_category().name()) return &std::system_category();
  return nullptr;
}

/// what() of a system_error ends with the message of its code, which the constructor adds again.
std::string without_message(std::string text, const std::error_code& code) {
  const std::string message = code.message();
  if (text == message) return "";
  if (text.ends_with(": " + message)) text.resize(text.size() - message.size() - 2);
  return text;
}

}  // namespace

void write_folded(wire::Writer& to, wire::Bytes value, bool has_proxies) {
  if (has_proxies) to.raw(value);
  else to.bytes(value);
}

wire::Reader unfolded(wire::Reader from) {
  wire::Bytes folded;
  return from.bytes(folded) ? wire::Reader(folded) : from;
}

void write_failure(wire::Writer& to, std::uint32_t call) {
  const ExceptionText exception = current_exception_text();
  Code code = Code::ok;
  std::optional<std::error_code> system;
  std::string type = exception.type;
  std::string text = exception.what;
  try {
    throw;
  } catch (const RemoteError& error) {
    code = error.code();
    if (!error.type().empty()) {  // from a nested task
      type = error.type();
      text = text.size() > type.size() + 2 ? text.substr(type.size() + 2) : "";
    }
  } catch (const Error& error) {
    code = error.code();
  } catch (const std::system_error& error) {
    if (typeid(error) == typeid(std::system_error)) system = error.code();
  } catch (...) {
  }
  to.array(system ? 6 : 4);
  to.unsigned_integer(call);
  to.unsigned_integer(static_cast<std::uint64_t>(code));
  to.text(type);
  to.text(text);
  if (!system) return;
  to.integer(std::int64_t{system->value()});
  to.text(system->category().name());
}

namespace {

std::exception_ptr made_anew(Code code, const std::string& type, const std::string& text) {
  if (code == Code::remote_error && type != "tandem::RemoteError")
    return std::make_exception_ptr(RemoteError(type, text));
  if (code != Code::ok) return make_error(code, text);
  for (const auto& [name, make] : standard_exceptions)
    if (name == type) return make(text);
  return std::make_exception_ptr(RemoteError(type, text));
}

}  // namespace

std::optional<FailedCall> read_failure(wire::Reader& from) {
  std::uint32_t parts = 0;
  FailedCall failed;
  std::uint64_t code = 0;
  std::string_view type;
  std::string_view text;
  if (!from.array(parts) || (parts != 4 && parts != 6) || !from.uint64(failed.call) || !from.uint64(code) ||
      !from.text(type) || !from.text(text))
    return std::nullopt;
  failed.error = made_anew(static_cast<Code>(code), std::string(type), std::string(text));
  if (parts == 4) return failed;
  std::int64_t number = 0;
  std::string_view category_name;
  if (!from.int64(number) || !from.text(category_name)) return std::nullopt;
  if (const std::error_category* category = category_named(category_name)) {
    const std::error_code error(static_cast<int>(number), *category);
    failed.error =
        std::make_exception_ptr(std::system_error(error, without_message(std::string(text), error)));
  }
  return failed;
}

}  // namespace tandem::client
