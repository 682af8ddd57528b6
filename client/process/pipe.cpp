#include "tandem/pipe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <string>
#include <system_error>

#include "client/common/utf8.hpp"
#include "client/os/fork.hpp"
#include "client/os/poll.hpp"
#include "client/os/signals.hpp"
#include "client/os/standard_descriptors.hpp"
#include "client/process/pipe_end.hpp"
#include "client/session/handover.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem {
namespace {

using client::PipeEnd;

constexpr std::size_t header_bytes = 4;
constexpr std::size_t first_bytes_max = std::size_t{1} << 20;  // allocated before any payload arrives

// ---- which ends are open ----------------------------------------------------------------------------------

/// The open ends of this process. Ends are opened and closed with this locked, so that a fork finds each in
/// the list that it copies.
class OpenEnds final : public os::ForkListener {
 public:
  OpenEnds() { os::listen_to_forks(*this); }

  void open_pair(int (&sockets)[2], bool duplex, std::unique_ptr<PipeEnd>& first,
                 std::unique_ptr<PipeEnd>& second) {
    std::lock_guard lock(mutex_);
    ends_.reserve(ends_.size() + 2);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0 || !os::above_standard(sockets))
      throw std::system_error(errno, std::generic_category(), "no pipe");
    first = std::make_unique<PipeEnd>(sockets[0], true, duplex);
    second = std::make_unique<PipeEnd>(sockets[1], duplex, true);
    ends_.push_back(first.get());
    ends_.push_back(second.get());
  }
  std::unique_ptr<PipeEnd> adopt(int socket, bool readable, bool writable) {
    auto end = std::make_unique<PipeEnd>(socket, readable, writable);
    std::lock_guard lock(mutex_);
    ends_.push_back(end.get());
    return end;
  }
  void close(PipeEnd& end) noexcept {
    std::lock_guard lock(mutex_);
    std::erase(ends_, &end);
    if (end.descriptor >= 0) ::close(end.descriptor);
    end.descriptor = -1;
  }
  void keep(std::span<const int> descriptors) noexcept {
    std::lock_guard lock(mutex_);
    std::erase_if(ends_, [&](PipeEnd* end) {
      if (std::ranges::find(descriptors, end->descriptor) != descriptors.end()) return false;
      ::close(end->descriptor);
      end->descriptor = -1;
      return true;
    });
  }

 private:
  void before_fork() noexcept override { mutex_.lock(); }
  void after_fork_in_parent() noexcept override { mutex_.unlock(); }
  void after_fork_in_child() noexcept override { mutex_.unlock(); }

  std::mutex mutex_;
  std::vector<PipeEnd*> ends_;
};

// Descriptors belong to the process, so there is one list of them. It is never destroyed: ends may be static
// variables.
OpenEnds& open_ends() {
  static OpenEnds& the_ends = *new OpenEnds;
  return the_ends;
}

// ---- bytes ------------------------------------------------------------------------------------------------

/// Waits until the socket, which the user made non-blocking, is ready.
void wait_for(int descriptor, short events) {
  pollfd wanted{descriptor, events, 0};
  os::poll_until({&wanted, 1}, std::nullopt);
}

/// Sends both parts completely. Returns false, with errno, on failure.
bool send_all(int descriptor, wire::Bytes header, wire::Bytes payload) {
  while (!header.empty() || !payload.empty()) {
    iovec parts[2] = {{const_cast<std::uint8_t*>(header.data()), header.size()},
                      {const_cast<std::uint8_t*>(payload.data()), payload.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t count = sendmsg(descriptor, &message, MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) wait_for(descriptor, POLLOUT);
    if (count < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (count <= 0) continue;
    const auto sent = static_cast<std::size_t>(count);
    const std::size_t of_header = std::min(sent, header.size());
    header = header.subspan(of_header);
    payload = payload.subspan(sent - of_header);
  }
  return true;
}

/// Receives `wanted` bytes, or fewer at the end of the stream; returns how many.
std::size_t receive_all(int descriptor, std::uint8_t* at, std::size_t wanted) {
  std::size_t received = 0;
  while (received < wanted) {
    const ssize_t count = recv(descriptor, at + received, wanted - received, 0);
    // ECONNRESET: the other end was closed before it had received all that we sent.
    if (count == 0 || (count < 0 && errno == ECONNRESET)) break;
    if (count > 0) received += static_cast<std::size_t>(count);
    else if (errno == EAGAIN) wait_for(descriptor, POLLIN);
    else if (errno != EINTR) throw ConnectionError("the pipe broke (" + os::errno_text(errno) + ")");
  }
  return received;
}

[[noreturn]] void throw_broken_off(std::uint64_t length, std::uint64_t received) {
  throw ConnectionError("the other end of the pipe was closed within a message: " + std::to_string(received) +
                        " of " + std::to_string(length) + " bytes came");
}

}  // namespace

namespace client {

void keep_pipe_ends(std::span<const int> descriptors) noexcept {
  open_ends().keep(descriptors);
}

}  // namespace client

// ---- both ends --------------------------------------------------------------------------------------------

Pipe::Pipe(bool duplex) {
  int sockets[2];
  std::unique_ptr<PipeEnd> one;
  std::unique_ptr<PipeEnd> other;
  open_ends().open_pair(sockets, duplex, one, other);
  if (!duplex) {
    shutdown(sockets[0], SHUT_WR);
    shutdown(sockets[1], SHUT_RD);
  }
  first = Connection(std::move(one));
  second = Connection(std::move(other));
}

// ---- one end ----------------------------------------------------------------------------------------------

Connection::Connection() noexcept = default;
Connection::Connection(std::unique_ptr<PipeEnd> end) noexcept : end_(std::move(end)) {}
Connection::Connection(Connection&&) noexcept = default;

Connection& Connection::operator=(Connection&& other) noexcept {
  if (this == &other) return *this;
  close();
  end_ = std::move(other.end_);
  return *this;
}

Connection::~Connection() {
  close();
}

void Connection::close() noexcept {
  if (!end_) return;
  open_ends().close(*end_);
  end_.reset();
}

bool Connection::closed() const noexcept {
  return !end_ || end_->descriptor < 0;
}

PipeEnd& Connection::end() const {
  if (!end_) throw ValueError("this end of the pipe is closed");
  if (end_->descriptor < 0)
    throw ValueError(
        "this end of the pipe is the parent's: a worker that is given ends as arguments has no others");
  return *end_;
}

bool Connection::readable() const {
  return end().readable;
}
bool Connection::writable() const {
  return end().writable;
}
int Connection::fileno() const {
  return end().descriptor;
}

void Connection::send(const client::AnyValue& value) {
  wire::Buffer bytes;
  Encoder to{wire::Writer(bytes), nullptr};
  value.encode(to);
  client::check_texts(bytes.view());
  send_bytes(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

void Connection::send_bytes(std::span<const std::byte> bytes) {
  PipeEnd& end = this->end();
  if (!end.writable) throw ValueError("this end of the pipe only receives");
  if (bytes.size() > message_bytes_max)
    throw ResourceExhausted("message_bytes_max: a message of " + std::to_string(bytes.size()) +
                            " bytes, and a pipe takes at most " + std::to_string(message_bytes_max));
  if (end.sending_broken) throw ConnectionError("the other end of the pipe is closed");
  std::uint8_t header[header_bytes];
  wire::store_little(header, static_cast<std::uint32_t>(bytes.size()));
  if (send_all(end.descriptor, header, client::as_wire(bytes))) return;
  const int error = errno;
  end.sending_broken = true;
  if (error == EPIPE || error == ECONNRESET) throw ConnectionError("the other end of the pipe is closed");
  throw ConnectionError("the pipe broke (" + os::errno_text(error) + ")");
}

/// Returns the next message, valid until the one after it is received.
wire::Bytes Connection::receive() {
  PipeEnd& end = this->end();
  if (!end.readable) throw ValueError("this end of the pipe only sends");
  if (end.receiving_broken) throw ConnectionError("the pipe broke before");
  end.message.clear();
  end.message.shrink(wire::Buffer::kept_bytes_max);

  std::uint8_t header[header_bytes];
  std::size_t received = receive_all(end.descriptor, header, header_bytes);
  if (received == 0) throw EndOfFile("the other end of the pipe is closed");
  end.receiving_broken = true;
  if (received < header_bytes) throw_broken_off(header_bytes, received);
  const auto length = wire::load_little<std::uint32_t>(header);
  if (length > message_bytes_max)
    throw ProtocolError("what came over the pipe is no message: its length would be " +
                        std::to_string(length) + ", and at most " + std::to_string(message_bytes_max) +
                        " bytes are taken");
  while (end.message.size() < length) {
    const std::size_t before = end.message.size();
    const std::size_t part = std::min<std::size_t>(length - before, std::max(before, first_bytes_max));
    received = receive_all(end.descriptor, end.message.extend(part), part);
    if (received < part) throw_broken_off(length, before + received);
  }
  end.receiving_broken = false;
  return end.message.view();
}

Bytes Connection::recv_bytes() {
  const wire::Bytes message = receive();
  const auto* begin = reinterpret_cast<const std::byte*>(message.data());
  return {begin, begin + message.size()};
}

bool Connection::poll(std::optional<std::chrono::milliseconds> limit) const {
  if (!end().readable) throw ValueError("this end of the pipe only sends");
  pollfd wanted{end().descriptor, POLLIN, 0};
  return os::poll_until({&wanted, 1}, limit) > 0;
}

// ---- as an argument ---------------------------------------------------------------------------------------

void Codec<Connection>::encode(Encoder& to, const Connection& connection) {
  if (to.spawn_sender == nullptr)
    throw TypeError("an end of a pipe can be passed to a process that is spawned, and nowhere else");
  const PipeEnd& end = connection.end();
  to.writer.array(3);
  to.writer.unsigned_integer(to.spawn_sender->copy_descriptor(end.descriptor));
  to.writer.boolean(end.readable);
  to.writer.boolean(end.writable);
}

Connection Codec<Connection>::decode(Decoder& from) {
  std::uint32_t count = 0;
  std::uint64_t place = 0;
  bool readable = false;
  bool writable = false;
  if (from.spawn_receiver == nullptr || !from.reader.array(count) || count != 3 ||
      !from.reader.uint64(place) || !from.reader.boolean(readable) || !from.reader.boolean(writable))
    client::throw_mismatch(from.reader, name());
  return Connection(open_ends().adopt(from.spawn_receiver->take_descriptor(place), readable, writable));
}

}  // namespace tandem
