#include "client/common/crypto.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <cerrno>

namespace tandem::client {

wire::Proof hmac_sha256(std::string_view key, std::initializer_list<wire::Bytes> parts) {
  wire::Buffer message;
  for (wire::Bytes part : parts) message.append(part);
  wire::Proof proof{};
  unsigned int length = 0;
  // OpenSSL takes a null key as "the key of the last call"; an empty one is a key like any other.
  const char* key_bytes = key.empty() ? "" : key.data();
  if (HMAC(EVP_sha256(), key_bytes, static_cast<int>(key.size()), message.data(), message.size(),
           proof.data(), &length) == nullptr ||
      length != proof.size())
    throw Error(Code::protocol_error, "OpenSSL cannot compute HMAC-SHA256");
  return proof;
}

// Read from the kernel: a generator in this process would return the same bytes in a forked child.
void random_bytes(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Error(Code::protocol_error, "the system returns no random bytes");
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

bool equal_constant_time(wire::Bytes a, wire::Bytes b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace tandem::client
