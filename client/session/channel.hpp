#pragma once
// One channel of a session: requests and replies as frames (wire/frame.hpp) over a stream. A request is built
// in the channel's own buffer after space for its header, and a reply is read in place, so that a call which
// fits a frame costs one send, one receive, and no allocation.
//
// Used by one thread at a time. Late replies to requests that timed out are dropped.
//
// A channel with a lane can go on over another connection when its own has broken (resume()): the manager has kept what
// it answered. What it has to be asked again is known here: notices, and by the caller its request.

#include <atomic>
#include <chrono>
#include <memory>
#include <stop_token>
#include <unordered_map>

#include "client/transport/stream.hpp"
#include "tandem/call/long_result.hpp"
#include "tandem/wire/frame.hpp"
#include "tandem/wire/handshake.hpp"

namespace tandem::client {

struct RequestTarget {
  std::uint16_t op = 0;
  std::uint32_t actor = 0;
  std::uint64_t object = 0;
  std::uint64_t token = 0;  // fencing token of a grant that must be valid, before the arguments; 0: none
};

/// `payload` points into the channel's buffers, and is valid until the next begin_request() or end_request(),
/// or until the next reply is looked for.
struct Reply {
  Code code = Code::ok;
  wire::Bytes payload;
};

/// Returns the text of an error reply.
std::string reason_of(const Reply& reply);

/// A request without a reply.
struct Notice {
  enum class Of : std::uint8_t { released_reference, ended_thread };
  Of of = Of::released_reference;
  std::uint64_t id = 0;  // of the object; the thread's number
};

struct NumberedReply : Reply {
  std::uint32_t request = 0;
  bool is_kept = false;  // by the manager, until it is acknowledged (append_acknowledgement)
};

class Channel {
 public:
  Channel(std::unique_ptr<Stream> stream, const wire::Welcome& welcome);
  /// Tells the manager that its lane is not resumed.
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Starts a request. Returns the buffer for its arguments.
  wire::Buffer& begin_request();
  /// Arguments that are not copied into that buffer, but sent from where they are.
  std::vector<LongArgument>& long_arguments() { return long_arguments_; }
  std::size_t arguments_bytes() const {
    const std::size_t bytes = out_.size() - wire::request_header_bytes;
    return long_arguments_.empty() ? bytes : bytes + long_arguments_bytes();
  }
  /// The maximum size of arguments, set by the manager. May be called by any thread.
  std::uint64_t message_bytes_max() const { return message_bytes_max_; }
  /// Sends the request that was begun and waits for its reply; `timeout` zero: no limit. Throws TimedOut; the
  /// channel remains usable, and if the request was sent in part, the rest is sent before the next one.
  /// Throws StreamClosed, with the text of the manager's fault frame if there was one; the channel is broken
  /// then.
  Reply exchange(const RequestTarget& target, std::chrono::milliseconds timeout) {
    return exchange(target, os::Deadline(timeout), std::stop_token());
  }
  /// If `stop` is requested meanwhile, cancels the request (frame.hpp) and still waits for its reply. A long result
  /// of the wanted kind goes into `long_result` unless that is null, and the reply is empty then.
  Reply exchange(const RequestTarget& target, const os::Deadline& deadline, const std::stop_token& stop,
                 LongResult* long_result = nullptr);
  /// Clears request and reply.
  void end_request() noexcept;

  // Resuming.

  /// 0: it cannot be resumed.
  std::uint32_t lane() const { return lane_; }
  /// Goes on over another connection, on the lane that `welcome` names: its own, or a new one, if that has ended. No other
  /// thread may use the stream.
  void resume(std::unique_ptr<Stream> stream, const wire::Welcome& welcome);
  /// After resume(): sends the request of the exchange() that failed once more, and goes on with it.
  Reply exchange_again(const RequestTarget& target, const os::Deadline& deadline, const std::stop_token& stop,
                       LongResult* long_result);
  /// Number of the manager's start that the connection leads to.
  std::uint64_t start() const { return start_; }
  /// When the request was sent for the first time, by os::boot_clock_ns(); only with a lane.
  std::uint64_t first_sent_ns() const { return first_sent_ns_; }
  /// The threads that have ended, of which the manager may not have been notified.
  std::vector<Notice> unread_ends_of_threads() const;
  /// How many notices the manager may not have received.
  std::size_t unread_notices() const { return unread_notices_.size(); }
  /// Whether the manager has received everything, so that a pipelining caller may take over.
  bool is_settled() const { return unsent_.empty() && unread_notices_.empty(); }

  // For pipelining callers, which build and send frames themselves. Do not mix with the calls above while any
  // of theirs is outstanding.

  std::uint32_t number_request() noexcept { return ++last_request_; }
  /// Divides the request in `out` from `at` on, which is laid out as by begin_request(), into frames.
  void finish_request(wire::Buffer& out, std::size_t at, const RequestTarget& target,
                      std::uint32_t request) const;
  static void append_cancel(wire::Buffer& out, std::uint32_t request);
  /// Says that the reply to this request has been read, and so all before it.
  static void append_acknowledgement(wire::Buffer& out, std::uint32_t request);
  /// Marks the first frame of a request as sent again.
  static void mark_again(std::uint8_t* frame) { frame[wire::request_flags_offset] |= wire::flag_again; }
  static void append_notice(wire::Buffer& out, std::uint32_t request, std::uint32_t actor,
                            const Notice& notice, bool is_again = false);
  /// One thread may send on it while another waits in receive_some().
  Stream& stream() { return *stream_; }
  /// Reads the next complete reply, to any request, from the received bytes. Returns false if there is none.
  /// Throws StreamClosed, as receive_some() does; the channel is broken then.
  bool next_reply(NumberedReply& reply);
  /// Waits until bytes are received; `timeout` zero: no limit. Throws TimedOut.
  void receive_some(std::chrono::milliseconds timeout);
  /// Throws the reason why a send found the stream closed: the manager's fault frame, if there is one.
  /// Replies ahead of it are passed to `take`.
  template <class F>
  [[noreturn]] void throw_reason(const StreamClosed& closed, F&& take);
  /// Closes the stream for good.
  void give_up() noexcept {
    broken_ = true;
    lane_ = 0;
    stream_->shut_down();
  }

  /// Sends it without waiting; what cannot be sent at once is sent ahead of the next request. Returns false if
  /// the channel is broken. Allowed at any time, also between begin_request() and exchange().
  bool notify(std::uint32_t actor, const Notice& notice) noexcept;
  /// Names the process that uses this channel from now on; sent ahead of the next request.
  void identify(std::uint32_t pid);
  /// From any thread: makes the call under way, if any, fail.
  void shut_down() noexcept { stream_->shut_down(); }
  /// In a forked child, where this channel is the parent's: breaks it here, without the parent noticing.
  void abandon() noexcept;
  /// Calls Stream::detach(). Only for a channel that awaits no reply.
  int detach() noexcept;
  bool broken() const { return broken_; }

  // For the session that owns this channel; used only by the thread that holds it.
  bool busy = false;       // a call is using it
  bool of_thread = false;  // belongs to a thread until that ends

 private:
  static constexpr std::chrono::milliseconds fault_wait{100};

  Reply attempt(const RequestTarget& target, std::uint8_t flags, const os::Deadline& deadline,
                const std::stop_token& stop, LongResult* long_result);
  void send_request(const RequestTarget& target, std::uint8_t flags, std::uint32_t request,
                    const os::Deadline& deadline);
  void send_cancel(std::uint32_t request) noexcept;
  void send_unsent(const os::Deadline& deadline);
  std::size_t long_arguments_bytes() const;
  void send_in_pieces(const RequestTarget& target, std::uint8_t flags, std::uint32_t request,
                      const os::Deadline& deadline);
  bool send_or_keep(wire::Bytes frame, const os::Deadline& deadline, bool is_late, bool is_first = false);
  Reply receive_reply(std::uint32_t request, const os::Deadline& deadline, LongResult* long_result = nullptr);
  bool receive_long(std::uint32_t request, std::size_t needed, const os::Deadline& deadline,
                    LongResult& into);
  std::size_t begin_long(std::uint32_t request, LongResult& into);
  void begin_part(std::uint32_t request, const os::Deadline& deadline, std::size_t left);
  void receive_to(wire::ByteSink& to, std::size_t most, const os::Deadline& deadline);
  void receive_more(std::size_t needed, const os::Deadline& deadline);
  bool take(const wire::Frame& frame, std::uint32_t request, Reply& reply);
  [[gnu::always_inline]] inline bool take_any(const wire::Frame& frame, NumberedReply& reply);
  [[noreturn]] void throw_unexpected(const wire::Frame& frame);
  [[noreturn]] void throw_no_frame();
  [[noreturn]] void throw_broken(const std::string& text, Code code = Code::connection_error,
                                 bool is_final = false);
  [[noreturn]] void throw_fault_or(const StreamClosed& closed);

  std::unique_ptr<Stream> stream_;
  std::uint64_t frame_bytes_max_;
  std::atomic<std::uint64_t> message_bytes_max_;
  std::uint32_t last_request_ = 0;
  std::uint32_t exchanged_request_ = 0;
  bool broken_ = false;
  std::uint32_t lane_ = 0;
  std::uint64_t start_ = 0;
  bool is_new_lane_ = false;  // since the last resume()
  std::uint64_t first_sent_ns_ = 0;

  struct UnreadNotice {
    std::uint32_t request = 0;
    std::uint32_t actor = 0;
    Notice notice;
  };
  std::vector<UnreadNotice> unread_notices_;  // sent since the last reply; only with a lane

  wire::Buffer out_;  // the request: room for its header, then its arguments
  std::vector<LongArgument> long_arguments_;
  std::size_t frame_left_ = 0;  // bytes of a long result's frame that do not go through `in_`
  wire::Buffer unsent_;         // frames to send before the next request, the first possibly in part
  wire::Buffer in_;             // received bytes
  std::size_t taken_ = 0;       // bytes of `in_` already processed
  std::size_t needed_ = 0;      // size of the next frame, as far as next_reply() knows it
  wire::Buffer assembled_;      // a reply received in parts

  struct Assembling {
    Code code = Code::ok;
    bool is_kept = false;
    wire::Buffer payload;
  };
  // By request: replies received in part, for pipelining callers.
  std::unordered_map<std::uint32_t, Assembling> assembling_;
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
    throw_broken(later.what(), later.code, later.is_final);
  }
  throw_broken(closed.what());
}

}  // namespace tandem::client
