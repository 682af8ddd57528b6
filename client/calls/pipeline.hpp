#pragma once
// The implementation of Pipeline: its own channel, a buffer of requests to send, and the requests under way.
//
// The two sides must not block each other: the manager reads no further requests while its replies are
// unread. So if a send would block, replies are read first, provided that one is certain to come; see
// make_room().

#include <optional>
#include <utility>
#include <vector>

#include "client/calls/call_sink.hpp"
#include "client/calls/read_replies.hpp"
#include "client/session/thread_channels.hpp"
#include "tandem/pipeline.hpp"

namespace tandem::client {

/// A FIFO queue that keeps its memory, so that the steady state allocates nothing.
template <class T>
class FifoBuffer {
 public:
  bool empty() const { return first_ == all_.size(); }
  std::size_t size() const { return all_.size() - first_; }
  T& operator[](std::size_t i) { return all_[first_ + i]; }
  T& front() { return all_[first_]; }
  T& back() { return all_.back(); }
  auto begin() const { return all_.begin() + static_cast<std::ptrdiff_t>(first_); }
  auto end() const { return all_.end(); }
  auto begin() { return all_.begin() + static_cast<std::ptrdiff_t>(first_); }
  auto end() { return all_.end(); }

  void push_back(T&& item) {
    if (first_ > all_.size() / 2) {
      all_.erase(all_.begin(), begin());
      first_ = 0;
    }
    all_.push_back(std::move(item));
  }
  void pop_front() {
    ++first_;
    if (empty()) {
      all_.clear();
      first_ = 0;
    }
  }

 private:
  std::vector<T> all_;
  std::size_t first_ = 0;  // index of the front; earlier items were popped
};

class PipelineSink final : public CallSink {
 public:
  explicit PipelineSink(SessionPtr session);
  ~PipelineSink() override { finish(); }

  const SessionPtr& session() const override { return session_; }
  std::size_t under_way() const { return under_way_; }

  // Called by bound proxies.
  void call(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments, bool wanted,
            wire::Buffer& result) override;

  /// Starts a request and returns the buffer for its arguments. Then call either end() or take_back().
  wire::Buffer& begin(const RemoteObject* object);
  void end(std::shared_ptr<const RemoteObject> object, const ops::OpDescription& op,
           std::shared_ptr<Awaited> result, std::vector<std::shared_ptr<const RemoteObject>> kept);
  void take_back() noexcept;

  void flush();
  void wait();
  bool read_until_ready(Awaited& awaited, WaitLimit limit);
  void cancel(Awaited& awaited);
  /// Called when the Pipeline is destroyed or replaced: cancels waits, reads all replies, releases the
  /// channel.
  void finish() noexcept;

 private:
  /// A request without a reply, or one that has its reply while an earlier one has not.
  struct Entry {
    std::shared_ptr<const RemoteObject> object;
    const ops::OpDescription* op = nullptr;
    std::shared_ptr<Awaited> result;  // null: no result is wanted
    std::vector<std::shared_ptr<const RemoteObject>> kept;
    std::uint64_t end = 0;  // its end position in the stream of all bytes
    bool done = false;
    bool is_cancelled = false;
    std::unique_ptr<wire::Buffer> frames{};  // to be sent again; null on a channel without a lane

    bool waits() const { return op->effect == ops::Effect::waits; }
  };
  /// Errors of operations whose result the caller does not hold; reported by flush() and wait().
  struct Errors {
    std::exception_ptr first;
    std::string where;
    std::size_t count = 0;
  };

  /// Whether the channel's session belongs to this process or, after a fork, to its parent.
  enum class ChannelOwner : bool { this_process, parent_process };

  bool is_usable() noexcept;
  void end_of_parent() noexcept;
  void check_not_busy() const;
  template <class F>
  void guarded(F&& io);
  void resume(Outage& outage);
  bool has_too_many(bool waits) const;
  void send_all();
  void make_room(const os::Deadline& deadline);
  bool a_reply_is_certain() const;
  void receive(std::chrono::milliseconds timeout);
  void wait_for_reply(const Awaited* of);
  void settle(const NumberedReply& reply);
  std::exception_ptr taken(const Entry& entry, const NumberedReply& reply);
  void done(Entry& entry, std::exception_ptr error);
  void end_with(Code code, const std::string& why, ChannelOwner owner = ChannelOwner::this_process) noexcept;
  void read_all();
  void raise_errors();

  void note_actor(std::uint32_t number);

  const SessionPtr session_;
  const std::shared_ptr<RequestBudget> budget_;
  std::vector<std::shared_ptr<const Actor>> actors_;  // the threads that have requests under way
  std::uint32_t last_actor_ = 0;                      // one of them
  Channel* channel_;                                  // null: the pipeline has ended, for this reason:
  Code ended_code_ = Code::value_error;
  std::string ended_why_ = "the pipeline has gone";

  wire::Buffer out_;  // requests; the first sent_ bytes are sent
  std::size_t sent_ = 0;
  std::uint64_t sent_total_ = 0;  // bytes sent so far
  std::size_t begun_at_ = 0;      // offset in out_ of the request being composed
  std::uint64_t begun_token_ = 0;
  bool composing_ = false;  // a user's encoder may be running
  bool taking_ = false;     // a user's decoder may be running, on the channel's buffers

  FifoBuffer<Entry> entries_;  // in request order
  std::uint32_t first_request_ = 0;
  std::size_t under_way_ = 0;
  std::size_t waits_under_way_ = 0;   // of under_way_
  std::uint64_t requests_count_ = 0;  // all requests so far
  Errors errors_;
  ReadReplies read_;
};

}  // namespace tandem::client
