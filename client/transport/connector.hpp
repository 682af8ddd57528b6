#pragma once
// How a session opens its channels. A Manager is built on a connector: SocketConnector for an address;
// tandem::Server has one that stays within the process, tests have one that talks to the engine directly.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "client/transport/stream.hpp"
#include "tandem/address.hpp"
#include "tandem/error.hpp"
#include "tandem/options.hpp"
#include "tandem/wire/handshake.hpp"

namespace tandem::client {

/// What a new channel is for. session and secret name the session to join, to resume or to inherit from; otherwise
/// they are zero.
struct OpenRequest {
  wire::Purpose purpose = wire::Purpose::open;
  std::uint64_t session = 0;
  wire::Secret secret{};
  bool stays_on_socket = false;     // for another process, which receives only the socket
  wire::Incarnation incarnation{};  // of the manager that has the session; zero: of any
  std::uint32_t lane = 0;           // to be resumed
  bool wants_lane = false;          // so that it can be resumed later
};

/// The address can be reached, and no process listens there.
struct NobodyListens : ConnectionError {
  using ConnectionError::ConnectionError;
};

/// A channel after its handshake, and what the manager sent in it.
struct Opened {
  std::unique_ptr<Stream> stream;
  wire::Welcome welcome;
  wire::Incarnation incarnation{};
};

/// What another process needs to make an equivalent connector.
struct Reach {
  std::string address;
  std::string authkey;
};

class Connector {
 public:
  virtual ~Connector() = default;

  /// Opens one channel, within `timeout` (zero: no limit). May be called by many threads at once, just before
  /// a fork, and in a forked child, which has a copy of everything except the streams opened before. If a
  /// child cannot reach the manager (it lives in the parent's threads), throws ConnectionError saying so.
  /// Throws ConnectionError, Timeout, AuthenticationError, VersionError, ProtocolError, or the manager's
  /// refusal; the text names the address.
  virtual Opened open(const OpenRequest& request, std::chrono::milliseconds timeout) = 0;

  /// The manager's name in error texts, e.g. "unix:/run/tandem".
  virtual std::string address() const = 0;

  /// Whether channels may continue over shared memory.
  virtual bool offers_ring() const { return false; }

  /// Returns nullopt if only this process and its forked children can reach the manager.
  virtual std::optional<Reach> reach() const { return std::nullopt; }
};

/// Connects to an address and does the handshake there. A unix socket's channel continues over shared memory
/// (wire/ring.hpp) if that is enabled and the manager offers it; if this process cannot map it, over another
/// socket. Without an authkey, throws AuthenticationError unless a unix socket's listener is this user or root.
class SocketConnector final : public Connector {
 public:
  SocketConnector(Address address, std::string authkey, const Options& options = {})
      : address_(std::move(address)), authkey_(std::move(authkey)), options_(options) {}
  Opened open(const OpenRequest& request, std::chrono::milliseconds timeout) override;
  std::string address() const override { return address_.to_string(); }
  bool offers_ring() const override { return options_.ring && address_.is_unix(); }
  std::optional<Reach> reach() const override { return Reach{address_.to_string(), authkey_}; }

 private:
  std::optional<Opened> try_open(const OpenRequest& request, bool wants_ring, const os::Deadline& deadline);

  Address address_;
  std::string authkey_;
  Options options_;
};

}  // namespace tandem::client
