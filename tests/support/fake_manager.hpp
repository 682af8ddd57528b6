#pragma once
// A manager that does what a test tells it, and records what it saw: over socket pairs, without a handshake. It sits in
// threads of the process that made it; a forked child can go on with channels that were opened before.

#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "client/transport/connector.hpp"
#include "client/transport/socket.hpp"
#include "tandem/wire/frame.hpp"
#include "tandem/wire/msgpack.hpp"
#include "tests/support/eventually.hpp"

namespace tandem::test {

/// A request as it came, its parts joined.
struct SeenRequest {
  std::size_t channel = 0;  // in the order of opening
  wire::RequestHeader header;
  std::string payload;
  std::size_t frames = 1;
};

/// The manager's end of one channel.
class FakeChannel {
 public:
  FakeChannel(std::size_t number, int descriptor) : number_(number), descriptor_(descriptor) {}
  ~FakeChannel() { close(descriptor_); }
  FakeChannel(const FakeChannel&) = delete;
  FakeChannel& operator=(const FakeChannel&) = delete;

  std::size_t number() const { return number_; }

  void say(wire::Bytes bytes) {
    while (!bytes.empty()) {
      ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // the client went away, which is its right
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
  }
  void say_frame(wire::FrameKind kind, Code code, std::uint16_t flags, std::uint32_t request,
                 wire::Bytes payload) {
    wire::Buffer frame;
    frame.extend(wire::short_header_bytes);
    frame.append(payload);
    wire::store_short_header(frame.data(), frame.size(), kind, static_cast<std::uint8_t>(code), flags,
                             request);
    say(frame.view());
  }
  void reply(const SeenRequest& to, wire::Bytes payload, Code code = Code::ok) {
    say_frame(wire::FrameKind::reply, code, 0, to.header.request, payload);
  }
  void reply_integer(const SeenRequest& to, std::int64_t value) {
    wire::Buffer payload;
    wire::Writer(payload).integer(value);
    reply(to, payload.view());
  }
  void refuse(const SeenRequest& to, Code code, std::string_view text) {
    wire::Buffer payload;
    wire::Writer(payload).text(text);
    reply(to, payload.view(), code);
  }
  void fault(Code code, std::string_view text) {
    say_frame(wire::FrameKind::fault, code, 0, 0, wire::as_bytes(text));
    hang_up();
  }
  void hang_up() { shutdown(descriptor_, SHUT_RDWR); }

 private:
  friend class FakeManager;
  std::size_t number_;
  int descriptor_;
};

class FakeManager {
 public:
  /// What to do with each request that wants a reply. Called on the thread of its channel.
  using Behaviour = std::function<void(FakeChannel&, const SeenRequest&)>;

  explicit FakeManager(Behaviour behaviour) : behaviour_(std::move(behaviour)) {}
  ~FakeManager() {
    for (auto& channel : channels_) channel->hang_up();
    threads_.clear();
  }
  FakeManager(const FakeManager&) = delete;
  FakeManager& operator=(const FakeManager&) = delete;

  wire::Welcome welcome{1, {}, 4096, 1 << 20, 128, 1000, 0, 0, {}};
  /// Throws what a channel is to be refused with.
  std::function<void(const client::OpenRequest&)> admit = [](const client::OpenRequest&) {};

  std::unique_ptr<client::Connector> connector() { return std::make_unique<Connector>(*this); }

  // What it saw. Waiting ends when it was seen.
  std::vector<client::OpenRequest> opened() {
    std::lock_guard lock(mutex_);
    return opened_;
  }
  std::vector<SeenRequest> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  std::vector<SeenRequest> wait_for_requests(std::size_t count) {
    eventually([&] { return requests().size() >= count; },
               std::to_string(count) + " requests to the fake manager");
    return requests();
  }
  std::vector<std::size_t> wait_for_closed_channels(std::size_t count) {
    eventually([&] { return closed_channels().size() >= count; },
               std::to_string(count) + " channels to be closed");
    return closed_channels();
  }
  std::vector<std::size_t> closed_channels() {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  /// Pids that channels were identified with, by channel.
  std::vector<std::pair<std::size_t, std::uint32_t>> identified() {
    std::lock_guard lock(mutex_);
    return identified_;
  }
  FakeChannel& channel(std::size_t number) {
    std::lock_guard lock(mutex_);
    return *channels_.at(number);
  }
  /// The next receives of clients store at most so many bytes, one after the other.
  void limit_receives(std::deque<std::size_t> bytes) {
    std::lock_guard lock(mutex_);
    receive_limits_ = std::move(bytes);
    limits_receives_ = true;
  }
  std::size_t sends() const { return sends_; }
  std::size_t receives() const { return receives_; }

 private:
  /// Counts what a call costs.
  class CountingStream final : public client::Stream {
   public:
    CountingStream(FakeManager& manager, int descriptor) : manager_(manager), socket_(descriptor) {}
    std::size_t send(wire::Bytes bytes, std::chrono::milliseconds timeout) override {
      ++manager_.sends_;
      return socket_.send(bytes, timeout);
    }
    std::size_t send_now(wire::Bytes bytes) override {
      ++manager_.sends_;
      return socket_.send_now(bytes);
    }
    std::size_t receive(std::uint8_t* at, std::size_t room, std::chrono::milliseconds timeout) override {
      ++manager_.receives_;
      return socket_.receive(at, std::min(room, manager_.next_receive_limit()), timeout);
    }
    void shut_down() noexcept override { socket_.shut_down(); }
    void abandon() noexcept override { socket_.abandon(); }

   private:
    FakeManager& manager_;
    client::SocketStream socket_;
  };

  class Connector final : public client::Connector {
   public:
    explicit Connector(FakeManager& manager) : manager_(manager), owner_(getpid()) {}
    client::Opened open(const client::OpenRequest& request, std::chrono::milliseconds) override {
      if (getpid() != owner_)
        throw ConnectionError("fake: the manager cannot be reached from a forked child");
      return manager_.open(request);
    }
    std::string address() const override { return "fake"; }

   private:
    FakeManager& manager_;
    pid_t owner_;
  };

  std::size_t next_receive_limit() {
    if (!limits_receives_)
      return SIZE_MAX;  // without the mutex, which another thread may have while one forks
    std::lock_guard lock(mutex_);
    if (receive_limits_.empty()) return SIZE_MAX;
    const std::size_t bytes = receive_limits_.front();
    receive_limits_.pop_front();
    return bytes;
  }

  client::Opened open(const client::OpenRequest& request) {
    admit(request);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw ConnectionError("fake: no socket pair");
    std::lock_guard lock(mutex_);
    FakeChannel& channel = *channels_.emplace_back(std::make_unique<FakeChannel>(channels_.size(), ends[1]));
    opened_.push_back(request);
    threads_.emplace_back([this, &channel] { serve(channel); });
    wire::Welcome said = welcome;
    said.session = request.purpose == wire::Purpose::join ? request.session : channels_.size();
    return {std::make_unique<CountingStream>(*this, ends[0]), said, {}};
  }

  void serve(FakeChannel& channel) {
    wire::Buffer in;
    SeenRequest assembling;
    while (true) {
      wire::Frame frame;
      std::size_t needed = 0;
      while (wire::next_frame(in.view(), welcome.frame_bytes_max, frame, needed) ==
             wire::FrameStatus::complete) {
        take(channel, frame, assembling);
        in.drop_front(frame.bytes.size());
      }
      std::uint8_t chunk[4096];
      ssize_t received = recv(channel.descriptor_, chunk, sizeof chunk, 0);
      if (received <= 0) break;
      in.append(chunk, static_cast<std::size_t>(received));
    }
    std::lock_guard lock(mutex_);
    closed_.push_back(channel.number());
  }

  void take(FakeChannel& channel, const wire::Frame& frame, SeenRequest& assembling) {
    if (frame.kind == wire::FrameKind::identify) {
      std::lock_guard lock(mutex_);
      identified_.emplace_back(channel.number(), frame.reply_header().request);
      return;
    }
    std::uint8_t flags = frame.bytes[5];
    if (frame.kind == wire::FrameKind::request) {
      assembling = {channel.number(), frame.request_header(),
                    std::string(wire::as_text(frame.request_payload()))};
    } else {
      assembling.payload += wire::as_text(frame.short_payload());
      ++assembling.frames;
    }
    if ((flags & wire::flag_more) != 0) return;
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(assembling);
    }
    if ((assembling.header.flags & wire::flag_one_way) == 0) behaviour_(channel, assembling);
  }

  Behaviour behaviour_;
  std::atomic<std::size_t> sends_{0};
  std::atomic<std::size_t> receives_{0};
  std::atomic<bool> limits_receives_{false};

  // Guarded by mutex_.
  std::mutex mutex_;
  std::vector<client::OpenRequest> opened_;
  std::vector<SeenRequest> requests_;
  std::deque<std::size_t> receive_limits_;
  std::vector<std::size_t> closed_;
  std::vector<std::pair<std::size_t, std::uint32_t>> identified_;
  std::deque<std::unique_ptr<FakeChannel>> channels_;

  std::vector<std::jthread> threads_;  // the last to be made, the first to go
};

}  // namespace tandem::test
