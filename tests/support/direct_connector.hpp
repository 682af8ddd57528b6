#pragma once
// A manager and its clients in one thread: a client's bytes go right into the session layer and what that answers comes
// right back, all as between processes but for the kernel. For measuring what an operation costs by itself.

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <algorithm>
#include <memory>
#include <string>

#include "client/common/crypto.hpp"
#include "client/transport/connector.hpp"
#include "client/transport/handshake.hpp"
#include "server/objects/all.hpp"
#include "server/session/channel.hpp"
#include "tandem/manager.hpp"

namespace tandem::test {

class DirectManager {
 public:
  DirectManager() : log_("direct", std::make_shared<spdlog::sinks::null_sink_st>()) {}

  server::Service& service() { return service_; }
  Manager connect();

 private:
  static Limits limits() {
    Limits made;
    made.memory_bytes_max = std::uint64_t{1} << 34;
    return made;
  }
  static server::Credentials credentials() {
    server::Credentials made;
    made.sign = [](std::initializer_list<wire::Bytes> parts) { return client::hmac_sha256("", parts); };
    made.fill_random = client::random_bytes;
    made.equal = client::equal_constant_time;
    return made;
  }

  const Limits limits_ = limits();
  spdlog::logger log_;
  server::Engine engine_{limits_, server::ServerInfo{}, server::hosted_types()};
  server::Service service_{engine_, limits_, credentials(), log_};
};

/// Both ends of a channel.
class DirectStream final : public client::Stream, public server::TransportHandle {
 public:
  explicit DirectStream(DirectManager& manager)
      : channel_(std::make_unique<server::Channel>(manager.service(), *this, server::Peer{"direct", 0})) {
    channel_->start();
  }

  std::size_t send(wire::Bytes bytes, std::chrono::milliseconds) override {
    const std::span<std::uint8_t> space = channel_->input_space();
    const std::size_t count = std::min(space.size(), bytes.size());
    std::copy_n(bytes.begin(), count, space.begin());
    channel_->received(count);
    channel_->sent(0);
    return count;
  }
  std::size_t send_now(wire::Bytes bytes) override { return bytes.empty() ? 0 : send(bytes, {}); }
  std::size_t receive(std::uint8_t* at, std::size_t room, std::chrono::milliseconds) override {
    while (channel_->unsent().empty() && channel_->wants_turn()) channel_->resume();
    const wire::Bytes unsent = channel_->unsent();
    if (unsent.empty()) throw client::StreamClosed("nobody is there who could answer later");
    const std::size_t count = std::min(unsent.size(), room);
    std::copy_n(unsent.begin(), count, at);
    channel_->sent(count);
    return count;
  }
  void shut_down() noexcept override {}
  void abandon() noexcept override {}

 private:
  void wake() override {}
  void close() override {}
  std::string_view path() const override { return "direct"; }

  std::unique_ptr<server::Channel> channel_;
};

class DirectConnector final : public client::Connector {
 public:
  explicit DirectConnector(DirectManager& manager) : manager_(manager) {}
  client::Opened open(const client::OpenRequest& request, std::chrono::milliseconds) override {
    client::Opened opened;
    opened.stream = std::make_unique<DirectStream>(manager_);
    const client::Admission admission = client::shake_hands(*opened.stream, "", request, {address()},
                                                            os::Deadline(std::chrono::milliseconds{0}));
    opened.welcome = admission.welcome;
    opened.incarnation = admission.incarnation;
    return opened;
  }
  std::string address() const override { return "direct"; }

 private:
  DirectManager& manager_;
};

inline Manager DirectManager::connect() {
  return Manager(std::make_unique<DirectConnector>(*this), Options{});
}

}  // namespace tandem::test
