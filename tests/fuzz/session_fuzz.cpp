// A channel with a whole manager behind it, and a client that says anything. The input's first byte chooses
// what:
//
//   bit 0   a good handshake comes first, else the input is the handshake too
//   bit 1   the input is a list of requests (operation, object, flags, length, arguments) that are put into
//           good frames, else it is frames
//   bit 2   the client is on another machine and asks for a lane; its connection breaks after each request (or once,
//           after the frames), and it resumes the lane
//
// Whatever is said, the manager answers in good frames, and nothing of the client is left when its channel
// is gone.

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <algorithm>
#include <memory>
#include <string>

#include "client/os/clock.hpp"
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
  limits.replies_kept_bytes_max = 64 * 1024;
  limits.session_lease_ms = 0;
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
    connect();
  }

  void shake_hands(bool with_lane) {
    wire::Answer answer;
    answer.wishes = with_lane ? wire::wish_lane : 0;
    greet(answer);
    REQUIRE(greeted_);
    REQUIRE((lane_ != 0) == with_lane);
  }

  /// The connection breaks, and the client resumes its lane. That is refused only after a goodbye.
  void reconnect(bool may_have_said_goodbye) {
    channel_->end_of_input();
    settle();
    REQUIRE(channel_->ending());
    channel_.reset();
    const bool has_ended = service_.sessions().size() == 0;
    REQUIRE(!has_ended || may_have_said_goodbye);
    inbox_ = {};
    faulted_ = false;
    greeted_ = false;
    connect();
    wire::Answer answer;
    answer.purpose = wire::Purpose::resume;
    answer.session = session_;
    answer.secret = secret_;
    answer.lane = lane_;
    greet(answer);
    REQUIRE(greeted_ != has_ended);
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
    end_lanes();
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

  void connect() {
    transport_.closed = false;
    channel_ = std::make_unique<Channel>(service_, transport_, Peer{"tcp://192.0.2.1:1", std::nullopt});
    channel_->start();
    read_raw(wire::hello_bytes);
  }

  void greet(wire::Answer& answer) {
    answer.proof.fill(0x5a);
    feed(encode(answer));
    if (channel_->session() == nullptr) {
      REQUIRE(channel_->ending());
      return read_raw(channel_->unsent().size());
    }
    REQUIRE(channel_->unsent().size() >= wire::welcome_bytes);
    const wire::Welcome welcome = wire::decode_welcome(channel_->unsent().data());
    session_ = welcome.session;
    secret_ = welcome.secret;
    lane_ = welcome.lane;
    channel_->sent(wire::welcome_bytes);
    greeted_ = true;
    settle();
  }

  /// A lane without a connection ends with time. A late tick gives it a little more.
  void end_lanes() {
    std::uint64_t now_ns = os::clock_ns();
    for (int tick = 0; tick < 4 && service_.sessions().size() != 0; ++tick) {
      now_ns += limits_.session_resume_ms * 1'000'000;
      service_.tick(now_ns);
    }
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
  std::uint64_t session_ = 0;
  wire::Secret secret_{};
  std::uint32_t lane_ = 0;
};

/// The next request of the input, as a frame.
std::string next_request(fuzz::Input& input, std::uint32_t number) {
  wire::RequestHeader header;
  header.op = input.byte();
  header.object = input.byte();
  header.flags =
      input.byte() & (wire::flag_more | wire::flag_one_way | wire::flag_has_read_all | wire::flag_again);
  header.request = number;
  wire::Bytes arguments = input.take(input.byte());
  std::string frame(wire::request_header_bytes, '\0');
  frame.append(wire::as_text(arguments));
  wire::store_request_header(reinterpret_cast<std::uint8_t*>(frame.data()), frame.size(), header);
  return frame;
}

std::string again(std::string frame) {
  wire::RequestHeader header = wire::load_request_header(reinterpret_cast<const std::uint8_t*>(frame.data()));
  header.flags |= wire::flag_again;
  wire::store_request_header(reinterpret_cast<std::uint8_t*>(frame.data()), frame.size(), header);
  return frame;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.byte();
  const bool shakes_hands = (choice & 1) != 0;
  const bool says_requests = (choice & 2) != 0;
  const bool reconnects = shakes_hands && (choice & 4) != 0;
  const std::size_t piece = 1 + input.below(512);
  Conversation conversation;
  if (shakes_hands) conversation.shake_hands(reconnects);
  if (says_requests) {
    for (std::uint32_t number = 1; !input.empty(); ++number) {
      const std::string request = next_request(input, number);
      conversation.send(wire::as_bytes(request), piece);
      if (!reconnects) continue;
      conversation.reconnect(false);
      // As a client does that has no answer.
      conversation.send(wire::as_bytes(again(request)), piece);
    }
  } else {
    conversation.send(input.rest(), piece);
    if (reconnects) conversation.reconnect(true);
  }
  conversation.end();
  return 0;
}
