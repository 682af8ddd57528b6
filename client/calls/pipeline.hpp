#pragma once
// What a pipeline is inside: a channel of its own, a buffer of requests to be sent, and what is under way.
//
// The two sides must not wait for each other: the manager reads no further requests while its replies lie unread. So
// where a send finds no room, replies are read first, if any is certain to come; see make_room().

#include <optional>
#include <utility>
#include <vector>

#include "client/calls/call_sink.hpp"
#include "tandem/pipeline.hpp"

namespace tandem::client {

/// What came first goes first. Its memory stays, so that in the steady state it takes none.
template <class T>
class FifoBuffer {
 public:
  bool empty() const { return first_ == all_.size(); }
  std::size_t size() const { return all_.size() - first_; }
  T& operator[](std::size_t i) { return all_[first_ + i]; }
  T& front() { return all_[first_]; }
  auto begin() const { return all_.begin() + static_cast<std::ptrdiff_t>(first_); }
  auto end() const { return all_.end(); }
  auto begin() { return all_.begin() + static_cast<std::ptrdiff_t>(first_); }
  auto end() { return all_.end(); }

  void push_back(T item) {
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
  std::size_t first_ = 0;  // those before it have been popped
};

class PipelineSink final : public CallSink {
 public:
  explicit PipelineSink(SessionPtr connection);
  ~PipelineSink() override { finish(); }

  const SessionPtr& connection() const override { return connection_; }
  std::size_t under_way() const { return under_way_; }

  // Of bound proxies.
  void call(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments, bool wanted,
            wire::Buffer& result) override;

  /// Where to append the arguments. Then either of the two that follow.
  wire::Buffer& begin(const RemoteObject* object);
  void end(std::shared_ptr<const RemoteObject> object, const ops::OpDescription& op,
           std::shared_ptr<Awaited> result, std::vector<std::shared_ptr<const RemoteObject>> kept);
  void take_back() noexcept;

  void flush();
  void wait();
  bool read_until_ready(Awaited& awaited, WaitLimit limit);
  void cancel(Awaited& awaited);
  /// The pipeline is going. Throws nothing.
  void finish() noexcept;

 private:
  /// A request without its answer, or one that is answered while one before it is not.
  struct Entry {
    std::shared_ptr<const RemoteObject> object;
    const ops::OpDescription* op = nullptr;
    std::shared_ptr<Awaited> result;  // null: nobody wants one
    std::vector<std::shared_ptr<const RemoteObject>> kept;
    std::uint64_t end = 0;  // where it ends among all bytes sent
    bool done = false;

    bool waits() const { return op->effect == ops::Effect::waits; }
  };
  /// Those that nobody else would hear of.
  struct Errors {
    std::exception_ptr first;
    std::string where;
    std::size_t count = 0;
  };

  /// Whether the session that a channel belongs to is this process' own.
  enum class Whose : bool { ours, parents };

  bool is_usable() noexcept;
  void check_not_busy() const;
  template <class F>
  void guarded(F&& io);
  bool has_too_many(bool waits) const;
  void send_all();
  void make_room(const os::Deadline& deadline);
  bool a_reply_is_certain() const;
  void receive(std::chrono::milliseconds timeout);
  void wait_for_reply(const Awaited* of);
  void settle(const NumberedReply& reply);
  std::exception_ptr taken(const Entry& entry, const NumberedReply& reply);
  void done(Entry& entry, std::exception_ptr error);
  void end_with(Code code, const std::string& why, Whose whose = Whose::ours) noexcept;
  void read_all();
  void raise_errors();

  const SessionPtr connection_;
  const std::shared_ptr<RequestBudget> budget_;
  Channel* channel_;  // null: it has ended, for this reason:
  Code ended_code_ = Code::value_error;
  std::string ended_why_ = "the pipeline has gone";

  wire::Buffer out_;  // requests; the first sent_ bytes are gone
  std::size_t sent_ = 0;
  std::uint64_t sent_total_ = 0;  // of all bytes there ever were
  std::size_t begun_at_ = 0;      // in out_: the request that is being put together
  std::uint64_t begun_token_ = 0;
  bool composing_ = false;  // a user's code may be running
  bool taking_ = false;     // the same, with the channel's buffers in use

  FifoBuffer<Entry> entries_;  // in the order of their requests
  std::uint32_t first_request_ = 0;
  std::size_t under_way_ = 0;
  std::size_t waits_under_way_ = 0;   // of them
  std::uint64_t requests_count_ = 0;  // of those behind entries_ too
  Errors errors_;
};

}  // namespace tandem::client
