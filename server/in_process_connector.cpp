#include "server/in_process_connector.hpp"

#include <unistd.h>

#include "client/transport/handshake.hpp"
#include "tandem/error.hpp"

namespace tandem::server {
namespace {

using client::StreamClosed;

InProcessPath::Deadline deadline_after(std::chrono::milliseconds timeout) {
  if (timeout.count() <= 0) return std::nullopt;
  return std::chrono::steady_clock::now() + timeout;
}

class InProcessStream final : public client::Stream {
 public:
  explicit InProcessStream(std::shared_ptr<InProcessPath> path) : path_(std::move(path)) {}
  ~InProcessStream() override {
    if (!abandoned_) path_->close();
  }

  std::size_t send(wire::Bytes bytes, std::chrono::milliseconds timeout) override {
    std::size_t count = 0;
    switch (send_until(bytes, deadline_after(timeout), count)) {
      case InProcessPath::Status::moved: return count;
      case InProcessPath::Status::timed_out: throw os::TimedOut();
      case InProcessPath::Status::closed: break;
    }
    throw StreamClosed("the manager closed the connection");
  }

  std::size_t send_now(wire::Bytes bytes) override {
    std::size_t count = 0;
    if (!bytes.empty() && send_until(bytes, std::chrono::steady_clock::time_point::min(), count) ==
                              InProcessPath::Status::closed)
      throw StreamClosed("the manager closed the connection");
    return count;
  }

  std::size_t receive(std::uint8_t* at, std::size_t room, std::chrono::milliseconds timeout) override {
    if (abandoned_) throw StreamClosed("the connection is the parent process's");
    std::size_t count = 0;
    switch (path_->receive({at, room}, deadline_after(timeout), count)) {
      case InProcessPath::Status::moved: return count;
      case InProcessPath::Status::timed_out: throw os::TimedOut();
      case InProcessPath::Status::closed: break;
    }
    throw StreamClosed("the manager closed the connection");
  }

  void shut_down() noexcept override {
    if (!abandoned_) path_->close();
  }
  void abandon() noexcept override { abandoned_ = true; }

 private:
  InProcessPath::Status send_until(wire::Bytes bytes, InProcessPath::Deadline deadline, std::size_t& count) {
    if (abandoned_) throw StreamClosed("the connection is the parent process's");
    return path_->send(bytes, deadline, count);
  }

  std::shared_ptr<InProcessPath> path_;
  bool abandoned_ = false;
};

}  // namespace

client::Opened InProcessConnector::open(const client::OpenRequest& request,
                                        std::chrono::milliseconds timeout) {
  if (::getpid() != pid_)
    throw ConnectionError(
        "in-process: this manager runs in threads of process " + std::to_string(pid_) +
        ", which a forked child has no part in; let it listen on an address and attach to that");
  os::Deadline deadline(timeout);
  std::shared_ptr<InProcessPath> path = connect_();
  if (path == nullptr) throw ConnectionError("in-process: the manager has stopped");
  client::Opened opened;
  opened.stream = std::make_unique<InProcessStream>(std::move(path));
  client::Admission admission = client::shake_hands(*opened.stream, authkey_, request, {address()}, deadline);
  opened.welcome = admission.welcome;
  opened.incarnation = admission.incarnation;
  return opened;
}

}  // namespace tandem::server
