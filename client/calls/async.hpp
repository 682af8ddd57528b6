#pragma once
// The implementation of Async: one channel, a thread that receives, and a thread that sends what a caller
// could not send without blocking.
//
// A caller sends its request itself, under the mutex, as far as that does not block. The rest is queued, and
// so is everything after it until the sender thread has sent it: order is kept, and callers never wait. The
// receiver thread reads continuously, so the manager never waits for us to read, and the sender gets room.
//
// Handlers are called, and references dropped, without the mutex: both may lock the session's mutex.

#include <condition_variable>
#include <deque>
#include <thread>
#include <unordered_map>

#include "client/calls/read_replies.hpp"
#include "client/session/session.hpp"
#include "tandem/call/async_call.hpp"

namespace tandem::client {

class AsyncChannel final : public std::enable_shared_from_this<AsyncChannel>,
                           public ActorListener,
                           private os::ForkListener {
 public:
  explicit AsyncChannel(SessionPtr session);
  ~AsyncChannel();
  /// Starts the threads.
  void open();

  const SessionPtr& session() const { return session_; }
  std::uint64_t next_ticket();
  void start(std::uint64_t ticket, std::shared_ptr<const AsyncRequest> request,
             std::shared_ptr<const Actor> owner, std::unique_ptr<AsyncHandler> handler);
  void cancel(std::uint64_t ticket);
  void close() noexcept;
  void actor_ended(std::uint64_t session, std::uint32_t actor) noexcept override;

 private:
  struct Operation {
    std::uint64_t ticket = 0;
    std::shared_ptr<const AsyncRequest> request;
    std::shared_ptr<const Actor> owner;     // null: of the ping sent by close()
    std::unique_ptr<AsyncHandler> handler;  // null: the ping sent by close()
    bool is_sent = false;
    bool is_cancelled = false;

    bool waits() const { return request->op->effect == ops::Effect::waits; }
    /// Releases the request first: its objects must not outlive what the handler tells.
    void complete(AsyncOutcome outcome) {
      request.reset();
      if (handler) handler->complete(std::move(outcome));
    }
  };
  enum class State : std::uint8_t { open, closing, ended };

  // Called with mutex_ locked.
  std::uint64_t unused_ticket();
  bool may_send(bool waits) const;
  void send(Operation& operation);
  void send_frames(wire::Bytes frames);
  void send_held_back();
  void note_end(const Operation& operation);
  std::vector<Operation> take_unsent();

  void receive_all() noexcept;
  void receive_until_drained();
  bool resume(const StreamClosed& closed, std::shared_ptr<Outage>& outage);
  void send_again();
  void build_frames(const Operation& operation);
  bool is_drained();
  void settle(const NumberedReply& reply);
  void send_queued() noexcept;
  void fail_all(Code code, const std::string& why);
  void abort(std::vector<Operation> operations);
  void end_threads() noexcept;

  void before_fork() noexcept override { mutex_.lock(); }
  void after_fork_in_parent() noexcept override { mutex_.unlock(); }
  void after_fork_in_child() noexcept override;

  const SessionPtr session_;
  const std::shared_ptr<RequestBudget> budget_;

  // Used by the receiver thread. Sending needs mutex_; while sender_is_sending_, only the sender thread
  // sends.
  Channel& channel_;
  const bool has_lane_;

  std::mutex mutex_;  // guards the members below, except the threads
  State state_ = State::open;
  bool is_forked_ = false;
  Code ended_code_ = Code::connection_error;
  std::string ended_why_;
  std::uint64_t last_ticket_ = 0;
  std::unordered_map<std::uint32_t, Operation> operations_;  // by request number: the low half of the ticket
  std::size_t waits_sent_ = 0;                               // of operations_
  std::size_t others_sent_ = 0;                              // likewise
  std::deque<std::uint32_t> held_back_waits_;                // unsent requests; some may be cancelled
  std::deque<std::uint32_t> held_back_others_;
  wire::Buffer frames_;  // of one request
  wire::Buffer queue_;   // frames for the sender thread
  bool sender_is_sending_ = false;
  bool sender_is_to_end_ = false;
  std::condition_variable sender_paused_;
  std::shared_ptr<Outage> outage_;  // while the channel is being resumed: nothing is sent
  struct EndedActor {
    std::uint32_t request = 0;
    std::uint32_t actor = 0;
  };
  std::vector<EndedActor> ended_actors_;  // the manager may not have been notified of them; only with a lane
  ReadReplies read_;
  std::condition_variable sender_wanted_;
  bool receiver_has_ended_ = false;
  std::condition_variable receiver_ended_;
  bool is_closed_ = false;  // close() was called, or open() failed

  // Used only by open() and close().
  std::thread receiver_;
  std::thread sender_;
};

}  // namespace tandem::client
