#pragma once
// Addresses at which a manager listens.

#include "tandem/cxx20.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace tandem {

/// An address of a manager, in one of these forms:
///
///   unix:/path/to/socket      a unix socket in the file system (at most 107 bytes of path)
///   unix:@name                a unix socket in Linux's abstract namespace (at most 107 bytes of name)
///   tcp://127.0.0.1:7070      TCP over IPv4
///   tcp://[::1]:7070          TCP over IPv6
///   tcp://host.example:7070   TCP; the name is looked up when connecting or listening
///
/// Port 0 asks the system for a free port when listening. Immutable; safe to copy between threads.
class Address {
 public:
  enum class Kind : std::uint8_t { unix_path, unix_abstract, tcp };

  /// Throws ValueError, whose text names the mistake and the valid forms.
  static Address parse(std::string_view text);

  Kind kind() const { return kind_; }
  bool is_unix() const { return kind_ != Kind::tcp; }
  /// Path, abstract name without '@', or host without brackets.
  const std::string& host() const { return host_; }
  std::uint16_t port() const { return port_; }
  /// Returns the form that parse() reads.
  std::string to_string() const;

  bool operator==(const Address&) const = default;

 private:
  Kind kind_ = Kind::unix_path;
  std::string host_;
  std::uint16_t port_ = 0;
};

}  // namespace tandem
