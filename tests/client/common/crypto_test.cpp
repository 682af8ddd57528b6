#include "client/common/crypto.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tandem::client {
namespace {

std::string hex(wire::Bytes bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (std::uint8_t byte : bytes) out += {digits[byte >> 4], digits[byte & 15]};
  return out;
}

// Vectors of RFC 4231.
TEST(Crypto, HmacAgreesWithTheRfc) {
  EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), {wire::as_bytes("Hi There")})),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(hmac_sha256("Jefe", {wire::as_bytes("what do ya want for nothing?")})),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Crypto, PartsAreJoined) {
  EXPECT_EQ(hmac_sha256("Jefe", {wire::as_bytes("what do ya "), {}, wire::as_bytes("want for nothing?")}),
            hmac_sha256("Jefe", {wire::as_bytes("what do ya want for nothing?")}));
}

TEST(Crypto, AnEmptyKeyIsAKeyOfItsOwn) {
  hmac_sha256("other", {wire::as_bytes("text")});
  EXPECT_EQ(hex(hmac_sha256("", {})), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  EXPECT_NE(hmac_sha256("", {wire::as_bytes("text")}), hmac_sha256("other", {wire::as_bytes("text")}));
}

TEST(Crypto, RandomBytesDiffer) {
  wire::Nonce a{};
  wire::Nonce b{};
  random_bytes(a);
  random_bytes(b);
  EXPECT_NE(a, b);
  EXPECT_NE(a, wire::Nonce{});
}

TEST(Crypto, EqualityLooksAtLengthAndEveryByte) {
  EXPECT_TRUE(equal_constant_time(wire::as_bytes("abc"), wire::as_bytes("abc")));
  EXPECT_TRUE(equal_constant_time({}, {}));
  EXPECT_FALSE(equal_constant_time(wire::as_bytes("abc"), wire::as_bytes("ab")));
  EXPECT_FALSE(equal_constant_time(wire::as_bytes("abc"), wire::as_bytes("abd")));
  EXPECT_FALSE(equal_constant_time(wire::as_bytes("abc"), wire::as_bytes("xbc")));
}

}  // namespace
}  // namespace tandem::client
