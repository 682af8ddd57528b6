#pragma once
// A client on a real socket that says whatever it is told to, byte by byte.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/transport/handshake.hpp"
#include "client/transport/socket.hpp"
#include "tandem/ops/manager.hpp"
#include "tests/server/session/fixture.hpp"

namespace tandem::test {

class RawClient {
 public:
  explicit RawClient(const std::string& address)
      : address_(address), stream_(client::connect_socket(Address::parse(address), os::Deadline(no_limit))) {}

  wire::Welcome shake_hands(const std::string& authkey = "", const client::OpenRequest& request = {}) {
    welcome_ = client::shake_hands(*stream_, authkey, request, {address_}, os::Deadline(no_limit)).welcome;
    return welcome_;
  }
  void say(std::string_view bytes) { stream_->send(wire::as_bytes(bytes), no_limit); }
  /// Says as much as goes without the other side reading it.
  std::size_t say_now(std::string_view bytes) { return stream_->send_now(wire::as_bytes(bytes)); }

  std::string hear_bytes(std::size_t count) {
    std::string heard(count, '\0');
    std::size_t have = 0;
    while (have != count)
      have += stream_->receive(reinterpret_cast<std::uint8_t*>(heard.data()) + have, count - have, no_limit);
    return heard;
  }
  /// Everything until the other side closes.
  std::string hear_to_the_end() {
    std::string heard;
    try {
      for (;;) {
        std::uint8_t chunk[65536];
        heard.append(reinterpret_cast<char*>(chunk), stream_->receive(chunk, sizeof chunk, no_limit));
      }
    } catch (const client::StreamClosed&) {
    }
    return heard;
  }
  /// The next frame.
  server::Heard hear() {
    std::string frame = hear_bytes(wire::size_field_bytes);
    frame +=
        hear_bytes(wire::load_little<std::uint32_t>(reinterpret_cast<const std::uint8_t*>(frame.data())));
    auto heard = server::parse_frames(frame, welcome_.frame_bytes_max);
    return heard.empty() ? server::Heard{} : heard.front();
  }

 private:
  static constexpr std::chrono::milliseconds no_limit{0};

  std::string address_;
  std::unique_ptr<client::Stream> stream_;
  wire::Welcome welcome_;
};

}  // namespace tandem::test
