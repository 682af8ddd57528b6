// The frame parser on arbitrary bytes, which arrive in pieces of any size.

#include "tandem/wire/frame.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace tandem::wire;

namespace {

/// What is found at the front of all bytes that have arrived must not depend on how many arrived at a time.
void check_prefixes(Bytes received, std::uint64_t frame_bytes_max, FrameStatus whole,
                    std::size_t whole_size) {
  for (std::size_t size = 0; size < received.size() && size < whole_size; ++size) {
    Frame frame;
    std::size_t needed = 0;
    FrameStatus status = next_frame(received.first(size), frame_bytes_max, frame, needed);
    REQUIRE(status == FrameStatus::incomplete || status == whole);
    REQUIRE(status != FrameStatus::complete);
    if (status == FrameStatus::incomplete) REQUIRE(needed > size && needed <= whole_size);
  }
}

void check_headers(const Frame& frame) {
  std::uint8_t stored[request_header_bytes];
  if (frame.kind == FrameKind::request) {
    store_request_header(stored, frame.bytes.size(), frame.request_header());
    REQUIRE(std::memcmp(stored, frame.bytes.data(), request_header_bytes) == 0);
    REQUIRE(frame.request_payload().size() == frame.bytes.size() - request_header_bytes);
  } else {
    ReplyHeader h = frame.reply_header();
    store_short_header(stored, frame.bytes.size(), frame.kind, static_cast<std::uint8_t>(h.code), h.flags,
                       h.request);
    REQUIRE(std::memcmp(stored, frame.bytes.data(), short_header_bytes) == 0);
    REQUIRE(frame.short_payload().size() == frame.bytes.size() - short_header_bytes);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tandem::fuzz::Input input(data, size);
  std::uint64_t frame_bytes_max = request_header_bytes + input.below(4096);
  Bytes received = input.rest();
  for (;;) {
    Frame frame;
    std::size_t needed = 0;
    FrameStatus status = next_frame(received, frame_bytes_max, frame, needed);
    if (status != FrameStatus::complete) {
      if (status == FrameStatus::incomplete) REQUIRE(needed > received.size() && needed <= frame_bytes_max);
      return 0;
    }
    REQUIRE(frame.bytes.data() == received.data() && frame.bytes.size() == needed);
    REQUIRE(needed <= received.size() && needed <= frame_bytes_max);
    check_prefixes(received, frame_bytes_max, status, needed);
    check_headers(frame);
    received = received.subspan(needed);
  }
}
