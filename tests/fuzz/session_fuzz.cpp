// A channel with a whole manager behind it, and a client that says anything. The input's first byte chooses
// what:
//
//   bit 0   a good handshake comes first, else the input is the handshake too
//   bit 1   the input is a list of requests (operation, object, flags, length, arguments) that are put into
//           good frames, else it is frames
//
// Whatever is said, the manager answers in good frames, and nothing of the client is left when its channel
// is gone.

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <algorithm>
#include <memory>
#include <string>

#include "server/objects/all.hpp"
#include "server/session/channel.hpp"
#include "tandem/ops/manager.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace tandem;
using namespace tandem::server;

namespace {

Limits small_limits() {
  Limits limits;
  limits.frame_bytes_max = 4096;
  limits.message_bytes_max = 16 * 1024;
  limits.value_depth_max = 16;
  limits.outbox_bytes_max = 64 * 1024;
  limits.requests_under_way_max = 32;
  limits.sessions_max = 2;
  limits.channels_max = 2;
  limits.objects_max = 16;
  limits.name_bytes_max = 64;
  limits.memory_bytes_max = 4 * 1024 * 1024;
  return limits;
}

/// Nothing secret and nothing random, so that an input does the same each time; a proof is one byte over and over.
Credentials known_credentials() {
  Credentials credentials;
  credentials.has_authkey = true;
  credentials.sign = [](std::initializer_list<wire::Bytes>) {
    wire::Proof proof;
    proof.fill(0x5a);
    return proof;
  };
  credentials.fill_random = [](std::span<std::uint8_t> out) { std::ranges::fill(out, std::uint8_t{0x11}); };
  credentials.equal = [](wire::Bytes a, wire::Bytes b) { return std::ranges::equal(a, b); };
  return credentials;
}

class NoTransport : public TransportHandle {
 public:
  void wake() override {}
  void close() override { closed = true; }
  std::string_view path() const override { return "none"; }
  bool closed = false;
};

/// Manager and channel, and the client's view of what comes back.
class Conversation {
 public:
  Conversation() : log_("fuzz", std::make_shared<spdlog::sinks::null_sink_mt>()) {
    log_.set_level(spdlog::level::off);
    channel_ = std::make_unique<Channel>(service_, transport_, Peer{"fuzz", 0});
    channel_->start();
    read_raw(wire::hello_bytes);
  }

  void shake_hands() {
    wire::Answer answer;
    answer.proof.fill(0x5a);
    feed(encode(answer));
    REQUIRE(channel_->session() != nullptr);
    read_raw(wire::welcome_bytes);
    greeted_ = true;
  }

  /// Sends in pieces of at most `piece` bytes, reading what comes back on the way.
  void send(wire::Bytes bytes, std::size_t piece) {
    while (!bytes.empty() && !channel_->ending() && !transport_.closed) {
      bytes = bytes.subspan(feed(bytes.first(std::min(piece, bytes.size()))));
      settle();
    }
  }

  /// The client goes away; nothing of it may be left.
  void end() {
    channel_->end_of_input();
    settle();
    REQUIRE(channel_->ending());
    channel_.reset();
    REQUIRE(service_.sessions().size() == 0);
    REQUIRE(service_.channels().empty());
    REQUIRE(service_.messages_bytes() == 0);
    engine_.registry().each(ops::Manager::id, [](const Object& object) {
      REQUIRE(object.named() || object.references() != 0);
      return true;
    });
  }

 private:
  /// Hands over as much as the channel has room for, and gives how much.
  std::size_t feed(wire::Bytes bytes) {
    std::span<std::uint8_t> space = channel_->input_space();
    REQUIRE(!space.empty());
    std::size_t count = std::min(space.size(), bytes.size());
    std::copy_n(bytes.begin(), count, space.begin());
    channel_->received(count);
    return count;
  }

  /// Reads all there is until the channel has nothing more to do.
  void settle() {
    do {
      take(channel_->unsent().size());
    } while (channel_->resume() || !channel_->unsent().empty());
  }

  void read_raw(std::size_t count) {
    REQUIRE(channel_->unsent().size() == count);
    channel_->sent(count);
  }

  void take(std::size_t count) {
    if (count == 0) return;
    if (greeted_) inbox_.append(channel_->unsent().first(count));
    channel_->sent(count);
    check_frames();
  }

  void check_frames() {
    std::size_t used = 0;
    for (;;) {
      wire::Frame frame;
      std::size_t needed = 0;
      wire::FrameStatus status =
          wire::next_frame(inbox_.view_from(used), limits_.frame_bytes_max, frame, needed);
      if (status == wire::FrameStatus::incomplete) break;
      REQUIRE(status == wire::FrameStatus::complete);
      check_frame(frame);
      used += frame.bytes.size();
    }
    inbox_.drop_front(used);
    REQUIRE(inbox_.empty());
  }

  void check_frame(const wire::Frame& frame) {
    REQUIRE(frame.kind == wire::FrameKind::reply || frame.kind == wire::FrameKind::reply_part ||
            frame.kind == wire::FrameKind::fault);
    REQUIRE(!faulted_);
    if (frame.kind == wire::FrameKind::fault) {
      faulted_ = true;
      REQUIRE(is_utf8(frame.short_payload()));
      return;
    }
    wire::ReplyHeader header = frame.reply_header();
    if (frame.kind == wire::FrameKind::reply_part || (header.flags & wire::flag_more) != 0) return;
    wire::Reader payload(frame.short_payload());
    Result<ValueView> value = validate(payload, 1000, engine_.registry());
    REQUIRE(value && payload.at_end());
    if (header.code != Code::ok) REQUIRE(value->kind() == wire::Kind::text);
  }

  // From the ground up: a member may use those above it.
  const Limits limits_ = small_limits();
  spdlog::logger log_;
  Engine engine_{limits_, ServerInfo{"0", "00", 1, 0, 1}, hosted_types()};
  Service service_{engine_, limits_, known_credentials(), log_};
  NoTransport transport_;
  std::unique_ptr<Channel> channel_;

  wire::Buffer inbox_;
  bool greeted_ = false;
  bool faulted_ = false;
};

/// The next request of the input, as a frame.
std::string next_request(fuzz::Input& input, std::uint32_t number) {
  wire::RequestHeader header;
  header.op = input.byte();
  header.object = input.byte();
  header.flags = input.byte() & (wire::flag_more | wire::flag_one_way);
  header.request = number;
  wire::Bytes arguments = input.take(input.byte());
  std::string frame(wire::request_header_bytes, '\0');
  frame.append(wire::as_text(arguments));
  wire::store_request_header(reinterpret_cast<std::uint8_t*>(frame.data()), frame.size(), header);
  return frame;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  std::uint8_t choice = input.byte();
  std::size_t piece = 1 + input.below(512);
  Conversation conversation;
  if ((choice & 1) != 0) conversation.shake_hands();
  if ((choice & 2) != 0) {
    for (std::uint32_t number = 0; !input.empty(); ++number)
      conversation.send(wire::as_bytes(next_request(input, number)), piece);
  } else {
    conversation.send(input.rest(), piece);
  }
  conversation.end();
  return 0;
}
