#pragma once
// Opens channels for clients in the manager's own process: the client side of transport/in_process.hpp.

#include <functional>

#include "client/transport/connector.hpp"
#include "server/transport/in_process.hpp"

namespace tandem::server {

class InProcessConnector final : public client::Connector {
 public:
  /// `connect` returns a new path to the manager, or null if it no longer runs. `pid`: the process whose
  /// threads run the manager.
  using Connect = std::function<std::shared_ptr<InProcessPath>()>;
  InProcessConnector(Connect connect, std::string authkey, int pid)
      : connect_(std::move(connect)), authkey_(std::move(authkey)), pid_(pid) {}

  client::Opened open(const client::OpenRequest& request, std::chrono::milliseconds timeout) override;
  std::string address() const override { return "in-process"; }

 private:
  const Connect connect_;
  const std::string authkey_;
  const int pid_;
};

}  // namespace tandem::server
