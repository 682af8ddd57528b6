#pragma once
// A client that talks to the engine itself: no session layer, no threads of its own, no sockets. Frames are taken apart
// here as the protocol (wire/frame.hpp) has them, requests become steps, and what was called is recorded.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>

#include "client/transport/connector.hpp"
#include "server/engine/engine.hpp"
#include "server/objects/hosted.hpp"
#include "tandem/json.hpp"
#include "tandem/ops/manager.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem::test {

/// Where an answer is to go.
class Answered {
 public:
  virtual void answer(std::uint32_t request, Code code, wire::Bytes payload) = 0;

 protected:
  ~Answered() = default;
};

/// An engine for any number of clients on any number of threads. The clock is the threads' own: who waits for an answer
/// tells the engine the time when a limit has run out.
class EngineHost {
 public:
  explicit EngineHost(const Limits& limits, const std::vector<HostedType>& types = {})
      : limits_(limits), types_(types), engine_(limits_, server_info(), types_.all()) {}

  const Limits& limits() const { return limits_; }
  /// Tells apart all engines there are at once.
  wire::Incarnation incarnation() const {
    wire::Incarnation incarnation{};
    const EngineHost* self = this;
    std::memcpy(incarnation.data(), &self, sizeof self);
    return incarnation;
  }

  std::uint64_t open_session(std::uint64_t inherits_from) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t session = ++last_session_;
    engine_.step(server::SessionOpened{session, inherits_from, 0});
    channels_[session] = 1;
    return session;
  }
  void join_session(std::uint64_t session) {
    const std::lock_guard lock(mutex_);
    ++channels_.at(session);
  }
  /// The session ends with its last channel.
  void leave_session(std::uint64_t session) {
    const std::lock_guard lock(mutex_);
    if (--channels_.at(session) == 0) engine_.step(server::SessionClosed{session});
    deliver();
  }
  /// The answer goes to `to`, now or later; null: to nobody.
  void step(server::Call call, std::uint32_t request, Answered* to) {
    const std::lock_guard lock(mutex_);
    wire::Buffer reply;
    call.now_ns = now_ns();
    const server::Outcome outcome = engine_.step(call, reply);
    if (outcome.operation != server::operation_none)
      called_.insert(name_of(engine_.operations()[outcome.operation]));
    note_creation(call, wire::Reader(reply.view()));
    if (outcome.parked != 0) waiting_[outcome.parked] = {to, request};
    else if (to != nullptr) to->answer(request, outcome.code, reply.view());
    deliver();
  }
  void cancel(std::uint32_t request, const Answered* of) {
    const std::lock_guard lock(mutex_);
    for (const auto& [ticket, waiting] : waiting_) {
      if (waiting.to != of || waiting.request != request) continue;
      engine_.step(server::Cancel{ticket});
      return deliver();
    }
  }
  /// `of` is going: what it waits for is not to be answered any more.
  void forget(const Answered* of) {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [of](const auto& one) { return one.second.to == of; });
  }
  /// Waits until `ready()`, looked at under the host's lock, in which `then()` is called; false: not until `end`.
  template <class Ready, class Then>
  bool wait_until(std::chrono::steady_clock::time_point end, const Answered* of, Ready ready, Then then) {
    std::unique_lock lock(mutex_);
    while (!ready()) {
      if (std::none_of(waiting_.begin(), waiting_.end(),
                       [of](const auto& one) { return one.second.to == of; }))
        throw std::logic_error("an answer is waited for that will never come");
      const auto now = std::chrono::steady_clock::now();
      if (now >= end) return false;
      auto until = end;
      if (engine_.next_deadline_ns() != server::never_ns)
        until = std::min(until, std::chrono::steady_clock::time_point(
                                    std::chrono::nanoseconds(engine_.next_deadline_ns())));
      if (until > now) answered_.wait_until(lock, until);
      engine_.step(server::Tick{now_ns()});
      deliver();
    }
    then();
    return true;
  }

  /// "dict.at" for every operation that was called; all there are, called or not.
  std::set<std::string> called() const {
    const std::lock_guard lock(mutex_);
    return called_;
  }
  std::set<std::string> operations() const {
    std::set<std::string> names;
    for (const server::Engine::Operation& operation : engine_.operations()) names.insert(name_of(operation));
    return names;
  }

 private:
  struct Waiting {
    Answered* to = nullptr;
    std::uint32_t request = 0;
  };

  static std::uint64_t now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  }
  void deliver() {
    if (engine_.deliveries().empty()) return;
    server::Deliveries taken;
    engine_.take_deliveries(taken);
    for (const server::Deliveries::Delivery& delivery : taken.all()) {
      const auto found = waiting_.find(delivery.ticket);
      if (found == waiting_.end()) continue;
      if (found->second.to != nullptr)
        found->second.to->answer(found->second.request, delivery.code, taken.payload(delivery));
      waiting_.erase(found);
    }
    answered_.notify_all();
  }
  static server::ServerInfo server_info() { return {"0.0.0", "00", 1, 0, 0x5eed}; }
  /// A type's create operation is called by the manager's, which answers with what it made and whether it is
  /// new.
  void note_creation(const server::Call& call, wire::Reader reply) {
    std::uint32_t count = 0;
    wire::Reference made;
    bool is_new = false;
    if (call.object != ops::Manager::id || call.op != ops::Manager::Create::description.number) return;
    if (reply.array(count) && reply.reference(made) && reply.boolean(is_new) && is_new)
      called_.insert(std::string(engine_.registry().find(made.id)->type().name) + ".create");
  }
  static std::string name_of(const server::Engine::Operation& operation) {
    return std::string(operation.type->name) + "." + std::string(operation.op->name);
  }

  const Limits limits_;
  const server::HostedTypes types_;
  mutable std::mutex mutex_;
  server::Engine engine_;
  std::uint64_t last_session_ = 0;
  std::map<std::uint64_t, int> channels_;
  std::set<std::string> called_;
  std::map<server::Ticket, Waiting> waiting_;
  std::condition_variable answered_;
};

class EngineStream final : public client::Stream, private Answered {
 public:
  EngineStream(std::shared_ptr<EngineHost> host, std::uint64_t session)
      : host_(std::move(host)), session_(session) {}
  ~EngineStream() override {
    host_->forget(this);
    host_->leave_session(session_);
  }

  /// Also from a second thread, with a cancel, while the first is in receive().
  std::size_t send(wire::Bytes bytes, std::chrono::milliseconds) override {
    received_.append(bytes);
    wire::Frame frame;
    std::size_t needed = 0;
    while (wire::next_frame(received_.view(), host_->limits().frame_bytes_max, frame, needed) ==
           wire::FrameStatus::complete) {
      take(frame);
      received_.drop_front(frame.bytes.size());
    }
    return bytes.size();
  }
  std::size_t send_now(wire::Bytes bytes) override { return send(bytes, {}); }
  std::size_t receive(std::uint8_t* at, std::size_t room, std::chrono::milliseconds timeout) override {
    const auto now = std::chrono::steady_clock::now();
    const auto end = now + (timeout.count() > 0 ? timeout : std::chrono::hours(24));
    std::size_t count = 0;
    const bool received = host_->wait_until(
        end, this, [&] { return replies_.size() != 0; },
        [&] {
          count = std::min(room, replies_.size());
          std::memcpy(at, replies_.data(), count);
          replies_.drop_front(count);
        });
    if (!received) throw os::TimedOut();
    return count;
  }
  void shut_down() noexcept override {}
  void abandon() noexcept override {}

 private:
  void take(const wire::Frame& frame) {
    const std::uint8_t flags = frame.bytes[5];
    if (frame.kind == wire::FrameKind::cancel) return host_->cancel(frame.reply_header().request, this);
    if (frame.kind == wire::FrameKind::request) {
      header_ = frame.request_header();
      arguments_.clear();
      arguments_.append(frame.request_payload());
    } else if (frame.kind == wire::FrameKind::request_part) {
      arguments_.append(frame.short_payload());
    } else {
      return;
    }
    if ((flags & wire::flag_more) == 0) run();
  }
  void run() {
    const bool fenced = (header_.flags & wire::flag_fenced) != 0;
    const std::uint64_t token = fenced ? wire::load_little<std::uint64_t>(arguments_.data()) : 0;
    const wire::Bytes arguments = arguments_.view_from(fenced ? wire::token_bytes : 0);
    host_->step({session_, header_.actor, header_.object, header_.op, arguments, token}, header_.request,
                (header_.flags & wire::flag_one_way) == 0 ? this : nullptr);
  }
  /// One reply frame, and as many parts as the rest takes. Under the host's lock.
  void answer(std::uint32_t request, Code code, wire::Bytes payload) override {
    const std::size_t room = host_->limits().frame_bytes_max - wire::short_header_bytes;
    bool first = true;
    do {
      const wire::Bytes here = payload.first(std::min(room, payload.size()));
      payload = payload.subspan(here.size());
      std::uint8_t* header = replies_.extend(wire::short_header_bytes);
      wire::store_short_header(header, wire::short_header_bytes + here.size(),
                               first ? wire::FrameKind::reply : wire::FrameKind::reply_part,
                               first ? static_cast<std::uint8_t>(code) : std::uint8_t{0},
                               payload.empty() ? std::uint16_t{0} : std::uint16_t{wire::flag_more}, request);
      replies_.append(here);
      first = false;
    } while (!payload.empty());
  }

  std::shared_ptr<EngineHost> host_;
  std::uint64_t session_;
  wire::Buffer received_;
  wire::Buffer replies_;
  wire::RequestHeader header_;
  wire::Buffer arguments_;
};

class EngineConnector final : public client::Connector {
 public:
  explicit EngineConnector(std::shared_ptr<EngineHost> host) : host_(std::move(host)) {}

  client::Opened open(const client::OpenRequest& request, std::chrono::milliseconds) override {
    std::uint64_t session = request.session;
    if (request.purpose == wire::Purpose::join) host_->join_session(session);
    else session = host_->open_session(request.session);
    wire::Welcome welcome;
    welcome.session = session;
    welcome.frame_bytes_max = host_->limits().frame_bytes_max;
    welcome.message_bytes_max = host_->limits().message_bytes_max;
    welcome.value_depth_max = host_->limits().value_depth_max;
    welcome.requests_under_way_max = host_->limits().requests_under_way_max;
    return {std::make_unique<EngineStream>(host_, session), welcome, host_->incarnation()};
  }
  std::string address() const override { return "engine"; }

 private:
  std::shared_ptr<EngineHost> host_;
};

}  // namespace tandem::test
