#pragma once
// Looking into a running manager from outside its thread, for the debug endpoint. Nobody but the engine's thread may
// touch what is in here; so a question is a function that is run there, and takes copies of what it wants.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "server/session/service.hpp"

namespace tandem::server {

/// One session, as people see it.
struct SessionInfo {
  std::uint64_t id = 0;
  std::uint32_t pid = 0;             // as the client says
  std::optional<std::uint32_t> uid;  // told by the kernel
  std::string peer;                  // where the channel came from that opened it
  std::uint64_t channels = 0;
  std::uint64_t threads = 0;  // distinct actors, counting the one that last used each channel
  std::uint64_t requests_under_way = 0;
  std::uint64_t outbox_bytes = 0;
  std::uint64_t references = 0;
};

/// What there is to see. Good only during the call that it is given to.
struct ServerState {
  const Service& service;

  const Engine& engine() const { return service.engine(); }
  const Limits& limits() const { return service.limits(); }
  const Statistics& statistics() const { return service.statistics(); }
  std::uint64_t messages_bytes() const { return service.messages_bytes(); }
  /// In the order of ids.
  std::vector<SessionInfo> sessions() const;
};

class Inspector {
 public:
  virtual ~Inspector() = default;
  /// Has `question` run on the engine's thread, between two turns; returns at once, on any thread. Once the manager has
  /// stopped, the question is destroyed without being run. It should take milliseconds at most: nobody is served
  /// meanwhile.
  virtual void post(std::function<void(const ServerState&)> question) = 0;
};

}  // namespace tandem::server
