#pragma once
// Cryptography, supplied by the creator of a manager: the session layer holds no key and generates no random
// numbers of its own, so that a handshake can be repeated byte for byte.

#include <functional>
#include <initializer_list>
#include <span>

#include "tandem/wire/handshake.hpp"

namespace tandem::server {

struct Credentials {
  bool has_authkey = false;
  /// HMAC-SHA256 over the joined parts, with the authkey or, without one, the empty key.
  std::function<wire::Proof(std::initializer_list<wire::Bytes> parts)> sign;
  std::function<void(std::span<std::uint8_t> out)> fill_random;
  /// Compares in a time that depends on the lengths only.
  std::function<bool(wire::Bytes a, wire::Bytes b)> equal;
  wire::Incarnation incarnation{};
  std::uint32_t own_uid = 0;  // without an authkey, this user and root may connect
};

}  // namespace tandem::server
