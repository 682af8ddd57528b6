#pragma once
// How a client in the manager's own process gets its channels: the client library's side of transport/in_process.hpp.

#include <functional>

#include "client/transport/connector.hpp"
#include "server/transport/in_process.hpp"

namespace tandem::server {

class InProcessConnector final : public client::Connector {
 public:
  /// `connect` hands the manager's end of a new path over, or null when the manager runs no more. `pid`: the process
  /// whose threads the manager is in.
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
