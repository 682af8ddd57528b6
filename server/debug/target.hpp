#pragma once
// The parsed target of an HTTP request: "/objects/a%2Fb?offset=10" → path "/objects/a/b", offset "10".

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
  /// Throws Refused (400) for a target that is no path, a broken percent-encoding or a repeated parameter.
  static Target parse(std::string_view target);

  /// Percent-decoded; begins with '/'.
  const std::string& path() const { return path_; }

  /// Throws Refused (400) naming a parameter that is not in `known`.
  void allow_only(std::initializer_list<std::string_view> known) const;
  std::optional<std::string> text(std::string_view name) const;
  /// Returns `otherwise` without such a parameter. Throws Refused (400) if it is no number of this range.
  std::uint64_t number(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                       std::uint64_t most) const;

 private:
  std::string path_;
  std::vector<std::pair<std::string, std::string>> parameters_;
};

/// Parses a decimal number, digits only; none if `text` is anything else or beyond 64 bits.
std::optional<std::uint64_t> parse_number(std::string_view text);

/// Whether `text` matches `pattern`: '*' matches any run of characters, '?' one UTF-8 character, and a
/// backslash takes the next character literally.
bool matches_glob(std::string_view pattern, std::string_view text);
/// Whether `pattern` can match one text only, which is then stored in `literal`.
bool is_literal_glob(std::string_view pattern, std::string& literal);

}  // namespace tandem::server
