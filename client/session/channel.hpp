#pragma once
// One channel of a session: requests and replies as frames (wire/frame.hpp) over a stream. A request is built in the
// channel's own buffer behind room for its header, and a reply is read where it was received, so that a call which
// fits a frame costs one send, one receive, and no allocation.
//
// Used by one thread at a time. Replies to requests that timed out are dropped when they come.

#include <chrono>
#include <memory>
#include <stop_token>
#include <unordered_map>

#include "client/transport/stream.hpp"
#include "tandem/wire/frame.hpp"
#include "tandem/wire/handshake.hpp"

namespace tandem::client {

struct RequestTarget {
  std::uint16_t op = 0;
  std::uint32_t actor = 0;
  std::uint64_t object = 0;
  std::uint64_t token = 0;  // of a lock's grant that has to be alive, written before the arguments; 0: none
};

/// The payload stands in the channel's buffers, until the next begin_request() or end_request(), or the next reply is
/// looked for.
struct Reply {
  Code code = Code::ok;
  wire::Bytes payload;
};

/// The text of a reply that is an error.
std::string reason_of(const Reply& reply);

struct NumberedReply : Reply {
  std::uint32_t request = 0;
};

class Channel {
 public:
  Channel(std::unique_ptr<Stream> stream, const wire::Welcome& welcome);

  /// Where the arguments are to be appended.
  wire::Buffer& begin_request();
  std::size_t arguments_bytes() const { return out_.size() - wire::request_header_bytes; }
  /// Longest arguments that the manager takes.
  std::uint64_t message_bytes_max() const { return message_bytes_max_; }
  /// Sends the request that was begun and waits for its reply; `timeout` zero: for ever. Throws TimedOut, after
  /// which the channel is good for the next request: what was not sent of this one goes out before that, unless
  /// nothing was. StreamClosed, with the text of the manager's fault frame if there was one; the channel is broken.
  Reply exchange(const RequestTarget& target, std::chrono::milliseconds timeout) {
    return exchange(target, timeout, std::stop_token());
  }
  /// When `stop` is requested meanwhile, the request is cancelled (frame.hpp), and its reply awaited all the same.
  Reply exchange(const RequestTarget& target, std::chrono::milliseconds timeout, const std::stop_token& stop);
  /// Forgets request and reply.
  void end_request() noexcept;

  // For who has many requests under way at once, builds them in buffers of its own and sends them itself; between its
  // first and its last one nothing above is used.

  std::uint32_t number_request() noexcept { return ++last_request_; }
  /// Makes frames of the request that stands in `out` from `at` on, as begin_request() has it.
  void finish_request(wire::Buffer& out, std::size_t at, const RequestTarget& target,
                      std::uint32_t request) const;
  static void append_cancel(wire::Buffer& out, std::uint32_t request);
  /// Where to send; one thread may do so while another waits in receive_some().
  Stream& stream() { return *stream_; }
  /// The next whole reply among what was received, to whatever request; false: there is none. Throws StreamClosed, as
  /// receive_some() does, and the channel is broken.
  bool next_reply(NumberedReply& reply);
  /// Waits until something is received; zero: for ever. Throws TimedOut.
  void receive_some(std::chrono::milliseconds timeout);
  /// Why a send found the path closed: the manager's fault frame says so, if there is one. Replies that are in front of
  /// it go to `take`.
  template <class F>
  [[noreturn]] void throw_reason(const StreamClosed& closed, F&& take);
  /// Closes the path for good.
  void give_up() noexcept {
    broken_ = true;
    stream_->shut_down();
  }

  /// Tells the manager, without waiting, that one reference is no longer held; false when it cannot be told.
  /// Allowed at any time, also between begin_request() and exchange().
  bool give_back(std::uint32_t actor, std::uint64_t object) noexcept;
  /// Names the process that uses this channel from now on; goes out ahead of the next request.
  void identify(std::uint32_t pid);
  /// From any thread: the call under way, if there is one, fails.
  void shut_down() noexcept { stream_->shut_down(); }
  /// In a forked child: this channel is the parent's. It is broken from now on, without the parent noticing.
  void abandon() noexcept;
  /// Stream::detach(); for a channel that waits for no reply.
  int detach() noexcept;
  bool broken() const { return broken_; }

  // For the connection that owns this channel, and only on the thread that has it.
  bool busy = false;       // a call is using it
  bool of_thread = false;  // remembered by a thread, to which it belongs until that ends

 private:
  static constexpr std::chrono::milliseconds fault_wait{100};

  void send_request(const RequestTarget& target, std::uint32_t request, const os::Deadline& deadline);
  void send_cancel(std::uint32_t request) noexcept;
  void send_unsent(const os::Deadline& deadline);
  bool send_or_keep(wire::Bytes frame, const os::Deadline& deadline, bool is_late);
  Reply receive_reply(std::uint32_t request, const os::Deadline& deadline);
  void receive_more(std::size_t needed, const os::Deadline& deadline);
  bool take(const wire::Frame& frame, std::uint32_t request, Reply& reply);
  bool take_any(const wire::Frame& frame, NumberedReply& reply);
  [[noreturn]] void throw_unexpected(const wire::Frame& frame);
  [[noreturn]] void throw_broken(const std::string& text, Code code = Code::connection_error);
  [[noreturn]] void throw_fault_or(const StreamClosed& closed);

  std::unique_ptr<Stream> stream_;
  std::uint64_t frame_bytes_max_;
  std::uint64_t message_bytes_max_;
  std::uint32_t last_request_ = 0;
  bool broken_ = false;

  wire::Buffer out_;        // the request: room for its header, then its arguments
  wire::Buffer unsent_;     // frames, or the end of one and more, that go out before the next request
  wire::Buffer in_;         // what was received
  std::size_t taken_ = 0;   // bytes of `in_` that are dealt with
  std::size_t needed_ = 0;  // bytes that the next frame takes, as far as next_reply() knows
  wire::Buffer assembled_;  // a reply that comes in parts

  struct Assembling {
    Code code = Code::ok;
    wire::Buffer payload;
  };
  std::unordered_map<std::uint32_t, Assembling>
      assembling_;  // replies that come in parts, where many are under way
};

template <class F>
void Channel::throw_reason(const StreamClosed& closed, F&& take) {
  try {
    for (const os::Deadline deadline(fault_wait);;) {
      for (NumberedReply reply; next_reply(reply);) take(reply);
      receive_some(deadline.remaining());
    }
  } catch (const os::TimedOut&) {
  } catch (const StreamClosed& later) {
    throw_broken(later.what(), later.code);
  }
  throw_broken(closed.what());
}

}  // namespace tandem::client
