#pragma once
// A manager without sockets, and clients that speak to its channels in strings.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "client/common/crypto.hpp"
#include "client/os/clock.hpp"
#include "server/objects/all.hpp"
#include "server/session/channel.hpp"
#include "tandem/ops/all.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem::server {

/// Keeps what was logged.
class LogKeeper final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  std::vector<std::string> lines;

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    lines.emplace_back(message.payload.data(), message.payload.size());
  }
  void flush_() override {}
};

/// Counts what a channel asks of its transport.
struct FakeLink final : TransportHandle {
  void wake() override { ++wakes; }
  void close() override { ++closes; }
  std::uint64_t offer_ring() override { return ring_bytes; }
  void parked_count_changed(std::size_t count) override { parked_counts.push_back(count); }
  std::string_view path() const override { return "test"; }
  std::vector<std::size_t> parked_counts;
  std::uint64_t ring_bytes = 0;
  int wakes = 0;
  int closes = 0;
};

struct ManagerSetup {
  Limits limits{.memory_bytes_max = std::uint64_t{1} << 30};
  std::string authkey{};
  std::uint32_t own_uid = 1000;
  Log* log = nullptr;  // of a journal, at level disk
};

/// Engine and service. What is random elsewhere counts up here: 1, 2, 3…
class TestManager {
 public:
  explicit TestManager(ManagerSetup setup = {})
      : setup_(std::move(setup)),
        log_("test", log_keeper_),
        engine_(setup_.limits, ServerInfo{}, hosted_types()),
        service_(engine_, setup_.limits, credentials(), log_, start_journal()) {
    log_.set_level(spdlog::level::debug);
  }

  Service& service() { return service_; }
  /// Lets the journal write what is recorded, and waits for that.
  void commit() {
    if (journal_ == nullptr) return;
    while (journal_->safe_index() != journal_->index()) service_.journal_progressed();
    service_.journal_progressed();
  }
  const Engine& engine() const { return engine_; }
  const Limits& limits() const { return setup_.limits; }
  const std::string& authkey() const { return setup_.authkey; }
  const std::vector<std::string>& log() const { return log_keeper_->lines; }
  std::uint64_t failures(HandshakeFailure reason) const {
    return service_.statistics().handshakes_failed[static_cast<std::size_t>(reason)];
  }

 private:
  Journal* start_journal() {
    if (setup_.log == nullptr) return nullptr;
    Journal::Options options;
    options.commits_here = false;  // so that a test can stop the log
    options.on_progress = [] {};
    options.on_fatal = [](const std::string& why) { ADD_FAILURE() << why; };
    const Recovered recovered = recover(*setup_.log, engine_);
    journal_ = std::make_unique<Journal>(engine_, *setup_.log, recovered, std::move(options));
    journal_->start(ServerInfo{}, setup_.limits, {}, 0, os::clock_ns());
    return journal_.get();
  }
  Credentials credentials() {
    Credentials made;
    made.has_authkey = !setup_.authkey.empty();
    made.sign = [this](std::initializer_list<wire::Bytes> parts) {
      return client::hmac_sha256(setup_.authkey, parts);
    };
    made.fill_random = [this](std::span<std::uint8_t> out) {
      for (std::uint8_t& byte : out) byte = ++last_random_;
    };
    made.equal = client::equal_constant_time;
    made.own_uid = setup_.own_uid;
    made.incarnation.fill(0xaa);
    return made;
  }

  const ManagerSetup setup_;
  std::uint8_t last_random_ = 0;
  std::shared_ptr<LogKeeper> log_keeper_ = std::make_shared<LogKeeper>();
  spdlog::logger log_;
  Engine engine_;
  std::unique_ptr<Journal> journal_;
  Service service_;
};

// ---- what a client says -----------------------------------------------------------------------------------------------

template <std::size_t N>
std::string text_of(const std::array<std::uint8_t, N>& bytes) {
  return {bytes.begin(), bytes.end()};
}

/// MessagePack of `write(writer)`.
template <class F>
std::string packed(F&& write) {
  wire::Buffer buffer;
  wire::Writer writer(buffer);
  write(writer);
  return std::string(wire::as_text(buffer.view()));
}

inline std::string request_frame(const wire::RequestHeader& header, std::string_view payload) {
  std::string frame(wire::request_header_bytes, '\0');
  frame += payload;
  wire::store_request_header(reinterpret_cast<std::uint8_t*>(frame.data()), frame.size(), header);
  return frame;
}

/// A request of thread 1.
inline std::string call_frame(std::uint32_t request, std::uint64_t object, std::uint16_t op,
                              std::string_view arguments, std::uint8_t flags = 0) {
  return request_frame({flags, op, request, 1, object}, arguments);
}

inline std::string short_frame(wire::FrameKind kind, std::uint8_t byte, std::uint32_t request,
                               std::string_view payload) {
  std::string frame(wire::short_header_bytes, '\0');
  frame += payload;
  wire::store_short_header(reinterpret_cast<std::uint8_t*>(frame.data()), frame.size(), kind, byte, 0,
                           request);
  return frame;
}
inline std::string part_frame(std::uint32_t request, std::string_view payload, bool more) {
  return short_frame(wire::FrameKind::request_part, more ? wire::flag_more : std::uint8_t{0}, request,
                     payload);
}

/// A request to the manager itself that does nothing.
inline std::string ping(std::uint32_t request) {
  return request_frame({0, ops::Manager::Ping::description.number, request, 1, ops::Manager::id}, "\x90");
}

// ---- what it hears ----------------------------------------------------------------------------------------------------

/// One message from the manager, its parts joined.
struct Heard {
  wire::FrameKind kind = wire::FrameKind::reply;  // reply or fault
  Code code = Code::ok;
  std::uint32_t request = 0;
  std::string payload;
  int frames = 1;
  bool is_kept = false;

  /// The text of an error or of a fault.
  std::string text() const {
    if (kind == wire::FrameKind::fault) return payload;
    std::string_view text;
    wire::Reader reader(wire::as_bytes(payload));
    EXPECT_TRUE(reader.text(text));
    return std::string(text);
  }
};

/// Takes frames apart. Every frame has to be well-formed and at most `frame_bytes_max` long.
inline std::vector<Heard> parse_frames(std::string_view bytes, std::uint64_t frame_bytes_max) {
  std::vector<Heard> heard;
  while (!bytes.empty()) {
    wire::Frame frame;
    std::size_t needed = 0;
    wire::FrameStatus status = wire::next_frame(wire::as_bytes(bytes), frame_bytes_max, frame, needed);
    if (status != wire::FrameStatus::complete) {
      ADD_FAILURE() << "the manager sent something that is no frame";
      return heard;
    }
    wire::ReplyHeader header = frame.reply_header();
    std::string_view payload = wire::as_text(frame.short_payload());
    if (frame.kind == wire::FrameKind::reply_part) {
      auto found = std::find_if(heard.begin(), heard.end(),
                                [&](const Heard& one) { return one.request == header.request; });
      if (found == heard.end()) ADD_FAILURE() << "a part of no reply";
      else found->payload += payload, ++found->frames;
    } else {
      heard.push_back({frame.kind, header.code, header.request, std::string(payload), 1,
                       (header.flags & wire::flag_kept) != 0});
    }
    bytes.remove_prefix(frame.bytes.size());
  }
  return heard;
}

// ---- a client ---------------------------------------------------------------------------------------------------------

/// The other end of one channel. Reads when told to.
class TestClient {
 public:
  explicit TestClient(TestManager& manager, Peer peer = {"test", 1000})
      : manager_(manager),
        channel_(std::make_unique<Channel>(manager.service(), transport_, std::move(peer))) {
    channel_->start();
  }

  Channel& channel() { return *channel_; }
  FakeLink& link() { return transport_; }

  /// Sends, without reading. The channel gets as many turns as it wants, until it waits for what to do next.
  void say(std::string_view bytes) {
    for (;;) {
      while (channel_->resume()) channel_->sent(0);
      if (bytes.empty() || !channel_->wants_input()) break;
      std::span<std::uint8_t> space = channel_->input_space();
      std::size_t count = std::min(space.size(), bytes.size());
      std::copy_n(bytes.begin(), count, space.begin());
      channel_->received(count);
      channel_->sent(0);
      bytes.remove_prefix(count);
    }
    unsaid_ = bytes.size();
  }
  void say_slowly(std::string_view bytes) {
    for (char byte : bytes) say({&byte, 1});
  }
  /// Bytes of the last say() that the channel did not want.
  std::size_t unsaid() const { return unsaid_; }

  /// Reads `count` bytes, or all there are. Gives the channel its turns.
  std::string hear_bytes(std::size_t count = std::string::npos) {
    std::string heard;
    do {
      std::string_view unsent = wire::as_text(channel_->unsent());
      unsent = unsent.substr(0, count - heard.size());
      heard += unsent;
      channel_->sent(unsent.size());
    } while (heard.size() != count && (channel_->resume() || !channel_->unsent().empty()));
    return heard;
  }
  std::vector<Heard> hear() { return parse_frames(hear_bytes(), manager_.limits().frame_bytes_max); }
  /// The one message there is.
  Heard hear_one() {
    std::vector<Heard> all = hear();
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? Heard{} : all.front();
  }
  Heard ask(std::string_view bytes) {
    say(bytes);
    return hear_one();
  }

  /// The client's answer to a hello, proven with `authkey`.
  static std::string answer(const std::string& hello, const std::string& authkey, wire::Answer answer = {}) {
    auto unproven = wire::encode(answer);
    answer.proof =
        client::hmac_sha256(authkey, {wire::as_bytes(wire::client_proof_label), wire::as_bytes(hello),
                                      wire::Bytes(unproven).first(wire::answer_bytes - wire::proof_bytes)});
    return text_of(wire::encode(answer));
  }
  wire::Welcome shake_hands(wire::Answer wanted = {}) {
    say(answer(hear_bytes(), manager_.authkey(), wanted));
    hear_bytes(0);
    manager_.commit();
    std::string welcome = hear_bytes();
    EXPECT_EQ(welcome.size(), wire::welcome_bytes) << welcome;
    return wire::decode_welcome(reinterpret_cast<const std::uint8_t*>(welcome.data()));
  }
  wire::Welcome join(const wire::Welcome& session, wire::Purpose purpose = wire::Purpose::join) {
    return shake_hands(answer_of(session, purpose));
  }
  /// What a client of that session says, which can be resumed if `session` can.
  static wire::Answer answer_of(const wire::Welcome& session, wire::Purpose purpose) {
    wire::Answer wanted;
    wanted.purpose = purpose;
    wanted.session = session.session;
    wanted.secret = session.secret;
    wanted.wishes = session.lane == 0 ? 0 : wire::wish_lane;
    if (purpose == wire::Purpose::resume) wanted.lane = session.lane;
    return wanted;
  }
  /// Goes away.
  void leave() {
    channel_->end_of_input();
    channel_.reset();
  }

  /// A new object of this type and what it was created with; gives its id.
  std::uint64_t create(std::string_view type, std::string_view arguments = "\x90") {
    say(request_frame({0, ops::Manager::Create::description.number, 9999, 1, ops::Manager::id},
                      packed([&](wire::Writer& out) {
                        out.array(3);
                        out.text(type);
                        out.array(0);
                        out.raw(wire::as_bytes(arguments));
                      })));
    hear_bytes(0);
    manager_.commit();
    const Heard reply = hear_one();
    EXPECT_EQ(reply.code, Code::ok) << reply.payload;
    wire::Reader reader(wire::as_bytes(reply.payload));
    std::uint32_t count = 0;
    wire::Reference reference;
    EXPECT_TRUE(reader.array(count) && reader.reference(reference));
    return reference.id;
  }

 private:
  TestManager& manager_;
  FakeLink transport_;
  std::unique_ptr<Channel> channel_;
  std::size_t unsaid_ = 0;
};

/// What a refused client is told.
struct RefusalHeard {
  Code code = Code::ok;
  std::string text;
};
inline RefusalHeard parse_refusal(const std::string& bytes) {
  RefusalHeard heard;
  EXPECT_GE(bytes.size(), wire::refusal_header_bytes);
  if (bytes.size() < wire::refusal_header_bytes) return heard;
  const auto* at = reinterpret_cast<const std::uint8_t*>(bytes.data());
  EXPECT_TRUE(wire::has_magic(at));
  heard.code = static_cast<Code>(wire::load_little<std::uint16_t>(at + 6));
  heard.text = bytes.substr(wire::refusal_header_bytes);
  EXPECT_EQ(wire::load_little<std::uint32_t>(at + 8), heard.text.size());
  return heard;
}

}  // namespace tandem::server
