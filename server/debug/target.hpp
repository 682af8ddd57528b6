#pragma once
// The target of an HTTP request, taken apart: "/objects/a%2Fb?offset=10" → path "/objects/a/b", offset "10".

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::server {

class Target {
 public:
  /// Throws Refused (400) for what is no path, a broken percent-encoding or a parameter that stands twice.
  static Target parse(std::string_view target);

  /// Percent-decoded; begins with '/'.
  const std::string& path() const { return path_; }

  /// Throws Refused (400) naming a parameter that is not among `known`.
  void allow_only(std::initializer_list<std::string_view> known) const;
  std::optional<std::string> text(std::string_view name) const;
  /// Throws Refused (400) for what is no number of this range.
  std::uint64_t number(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                       std::uint64_t most) const;

 private:
  std::string path_;
  std::vector<std::pair<std::string, std::string>> parameters_;
};

/// A decimal number, digits only; none where `text` is something else or beyond 64 bits.
std::optional<std::uint64_t> parse_number(std::string_view text);

/// Whether `text` has the form of `pattern`: '*' stands for any run of characters, '?' for one character of
/// UTF-8, and a backslash takes the character behind it as it is.
bool matches_glob(std::string_view pattern, std::string_view text);
/// Whether `pattern` can match one text only, which `literal` then is.
bool is_literal_glob(std::string_view pattern, std::string& literal);

}  // namespace tandem::server
