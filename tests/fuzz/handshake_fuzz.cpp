// The handshake's messages: whatever bytes of the right length arrive, what was read is written again as it
// came.

#include "tandem/wire/handshake.hpp"

#include <algorithm>

#include "tests/fuzz/fuzz.hpp"

using namespace tandem::wire;

namespace {

/// Padded with zeros to the message's length, and given the magic that is checked before anything is decoded.
template <std::size_t N>
std::array<std::uint8_t, N> message(Bytes bytes) {
  std::array<std::uint8_t, N> out{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), N), out.begin());
  std::copy(magic.begin(), magic.end(), out.begin());
  return out;
}

/// What a side writes as zero and the other does not look at.
template <std::size_t N>
void clear_reserved(std::array<std::uint8_t, N>& message, std::size_t at, std::size_t bytes) {
  std::fill_n(message.begin() + static_cast<std::ptrdiff_t>(at), bytes, std::uint8_t{0});
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);

  auto hello = message<hello_bytes>(bytes);
  clear_reserved(hello, 6, 2);
  REQUIRE(encode(decode_hello(hello.data())) == hello);

  auto answer = message<answer_bytes>(bytes);
  clear_reserved(answer, 44, 4);
  REQUIRE(encode(decode_answer(answer.data())) == answer);

  auto welcome = message<welcome_bytes>(bytes);
  store_little(welcome.data() + 4, protocol_version);
  clear_reserved(welcome, 6, 2);
  clear_reserved(welcome, 84, 4);
  REQUIRE(encode(decode_welcome(welcome.data())) == welcome);

  std::string refusal = encode_refusal(tandem::Code::protocol_error, as_text(bytes));
  REQUIRE(refusal.size() == refusal_header_bytes + std::min(size, refusal_text_bytes_max));
  REQUIRE(load_little<std::uint32_t>(reinterpret_cast<const std::uint8_t*>(refusal.data()) + 8) ==
          refusal.size() - refusal_header_bytes);
  return 0;
}
