#pragma once
// AsyncResult: the future result of a pool's task; ResultStream: the results of many tasks, one by one. See
// pool.hpp.
//
//   Python (multiprocessing.pool)      here
//   r.get(), r.get(timeout)            r.get(), r.get(limit)                Timeout
//   r.wait(), r.wait(timeout)          r.wait(), r.wait_for(limit) → bool
//   r.ready(), r.successful()          the same                             ValueError if not ready
//   f(…, callback, error_callback)     r.on_result(callback), r.on_error(error_callback)
//   for x in pool.imap(…)              for (auto& x : pool.imap(…))
//   it.next(), it.next(timeout)        it.next(), it.next(limit) → optional, empty at the end

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/call/wait.hpp"
#include "tandem/codec.hpp"
#include "tandem/codec/result.hpp"
#include "tandem/function.hpp"

namespace tandem {

namespace client {

/// The stored form of a result.
template <class R>
using Held = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

template <class R>
Held<R> decode_held(Decoder& from) {
  if constexpr (std::is_void_v<R>) {
    (void)from.reader.skip();
    return {};
  } else {
    return ResultOf<ops::Any, R>::decode(from);
  }
}

/// One submission of `calls` calls, whose outcomes arrive chunk by chunk on the pool's collecting thread.
class Job {
 public:
  explicit Job(std::size_t calls) : calls_(calls), left_(calls) {}
  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  std::size_t calls() const;
  std::size_t finished_calls() const;
  bool ready() const;
  /// Returns whether the job is ready. DeadlockError: a callback on the collecting thread waits for a result
  /// that this thread has to deliver.
  bool wait(WaitLimit limit) const;
  /// The error of the first failed call, in call order; null if there is none.
  std::exception_ptr error() const;
  /// Calls `callback` when the job is done, at once if it is done already.
  void add_callback(std::function<void()> callback);

  // Called on the collecting thread.

  /// Outcomes of the calls from `first` on, as a worker wrote them (client/pool/outcome.hpp), unfolded.
  void results_came(std::size_t first, std::size_t count, Decoder from);
  void failed(std::size_t first, std::size_t count, const std::exception_ptr& error);
  void collected_by(std::thread::id thread);

 protected:
  virtual void store(std::size_t index, Decoder& value) = 0;
  virtual void store_error(std::size_t, const std::exception_ptr&) {}
  /// Called when all calls have succeeded.
  virtual void complete() {}

  // All guarded by mutex_.
  void add_calls_locked(std::size_t count) {
    calls_ += count;
    left_ += count;
  }
  std::size_t calls_locked() const { return calls_; }
  /// DeadlockError: the calling thread is the collecting thread.
  void check_may_wait_locked() const;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;

 private:
  void call_failed(std::size_t index, const std::exception_ptr& error);
  void calls_finished(std::size_t count);

  // Guarded by mutex_.
  std::size_t calls_;
  std::thread::id collector_;
  std::size_t left_;
  bool ready_ = false;
  std::size_t error_index_ = 0;
  std::exception_ptr error_;
  std::vector<std::function<void()>> callbacks_;
};

/// A job whose results form one value.
template <class R>
class ValueJob : public Job {
 public:
  using Job::Job;
  /// Valid once the job is ready without an error.
  Held<R>& value() { return *value_; }

 protected:
  std::optional<Held<R>> value_;
};

template <class R>
class OneCall final : public ValueJob<R> {
 public:
  OneCall() : ValueJob<R>(1) {}

 protected:
  void store(std::size_t, Decoder& from) override { this->value_.emplace(decode_held<R>(from)); }
};

template <class R>
using ResultsOf = std::conditional_t<std::is_void_v<R>, void, std::vector<Held<R>>>;

template <class R>
class ManyCalls final : public ValueJob<ResultsOf<R>> {
 public:
  explicit ManyCalls(std::size_t calls) : ValueJob<ResultsOf<R>>(calls), results_(calls) {}

 protected:
  void store(std::size_t index, Decoder& from) override { results_[index].emplace(decode_held<R>(from)); }
  void complete() override {
    this->value_.emplace();
    if constexpr (!std::is_void_v<R>) {
      this->value_->reserve(results_.size());
      for (auto& result : results_) this->value_->push_back(std::move(*result));
    }
    results_.clear();
  }

 private:
  std::vector<std::optional<Held<R>>> results_;
};

/// A job that grows while its results are taken one by one.
class StreamJob : public Job {
 public:
  explicit StreamJob(bool ordered) : Job(0), ordered_(ordered) {}
  /// Adds calls, which are submitted next.
  void add_calls(std::size_t count);
  /// Number of calls whose results are not taken.
  std::size_t untaken() const;
  /// Whether next() returns without waiting for a result.
  bool has_next() const;

 protected:
  // All guarded by mutex_.
  virtual void make_room_locked(std::size_t count) = 0;
  virtual bool has_next_locked() const = 0;

  const bool ordered_;
  std::size_t taken_ = 0;
};

template <class R>
class StreamedCalls final : public StreamJob {
 public:
  using StreamJob::StreamJob;
  /// Returns the next result, or nullopt if all are taken. Throws what the call threw.
  std::optional<Held<R>> next(WaitLimit limit);

 protected:
  void store(std::size_t index, Decoder& from) override { arrived(index, decode_held<R>(from)); }
  void store_error(std::size_t index, const std::exception_ptr& error) override { arrived(index, error); }
  void make_room_locked(std::size_t count) override {
    if (ordered_) results_.resize(results_.size() + count);
  }
  bool has_next_locked() const override { return !results_.empty() && results_.front().index() != 0; }

 private:
  using Result = std::variant<std::monostate, std::exception_ptr, Held<R>>;
  template <class T>
  void arrived(std::size_t index, T&& result) {
    std::lock_guard lock(mutex_);
    Result& place = ordered_ ? results_[index - taken_] : results_.emplace_back();
    if constexpr (std::is_same_v<std::decay_t<T>, std::exception_ptr>) place.template emplace<1>(result);
    else place.template emplace<2>(std::forward<T>(result));
    changed_.notify_all();
  }

  std::deque<Result> results_;  // in order: one for each call that is not taken; else those that arrived
};

[[noreturn]] void throw_not_ready(WaitLimit limit);

template <class R>
std::optional<Held<R>> StreamedCalls<R>::next(WaitLimit limit) {
  std::unique_lock lock(mutex_);
  if (taken_ == calls_locked()) return std::nullopt;
  auto there = [this] { return has_next_locked(); };
  if (!there()) {
    check_may_wait_locked();
    if (!limit) changed_.wait(lock, there);
    else if (!changed_.wait_for(lock, *limit, there)) throw_not_ready(limit);
  }
  Result result = std::move(results_.front());
  results_.pop_front();
  ++taken_;
  lock.unlock();
  if (result.index() == 1) std::rethrow_exception(std::get<1>(result));
  return std::get<2>(std::move(result));
}

class PoolCore;    // client/pool/pool_core.hpp
class Submission;  // pool.hpp

/// The input of a StreamJob: reads and submits calls ahead of the results that are taken, on the thread that
/// takes them.
class StreamInput {
 public:
  /// `calls_max`: of calls submitted whose results are not taken. `in_memory`: reading never waits.
  StreamInput(const std::shared_ptr<PoolCore>& core, Function function, std::size_t chunk_size,
              std::size_t calls_max, bool in_memory);
  virtual ~StreamInput();
  StreamInput(const StreamInput&) = delete;
  StreamInput& operator=(const StreamInput&) = delete;

  /// Reads and submits at least one chunk, if there is room for it; then more until the next result is there.
  /// From memory: as many as there is room for, once half of them are taken.
  void fill(const std::shared_ptr<StreamJob>& job);

 protected:
  /// Adds the next call. Returns false at the end of the input.
  virtual bool read(Submission& to) = 0;

 private:
  bool read_chunk(StreamJob& job, Submission& to);
  static void fail_next(StreamJob& job, const std::exception_ptr& error);
  void end() noexcept;

  const std::weak_ptr<PoolCore> core_;
  const Function function_;
  const std::size_t chunk_size_;
  const std::size_t calls_max_;
  const bool in_memory_;
  bool ended_ = false;
};

}  // namespace client

/// The future result of a task. Movable, not copyable; any thread may wait for it. It may be discarded: the
/// task is carried out nevertheless. It may outlive its pool.
///
/// get() throws what the function threw, if that is an exception class of tandem or of the standard library
/// (<stdexcept>, std::bad_alloc, std::bad_cast, std::system_error, …), else RemoteError, which has its type
/// and text; WorkerDied if its worker died; Closed if the pool was terminated; ConnectionError if the manager
/// was lost. For a map, the error of the first failed call is thrown.
template <class R>
class AsyncResult {
 public:
  AsyncResult() = default;
  explicit AsyncResult(std::shared_ptr<client::ValueJob<R>> job) : job_(std::move(job)) {}
  AsyncResult(AsyncResult&&) noexcept = default;
  AsyncResult& operator=(AsyncResult&&) noexcept = default;

  /// Waits for the result. Repeated calls return the same result; on a temporary the result is moved out.
  std::conditional_t<std::is_void_v<R>, void, std::add_lvalue_reference_t<const client::Held<R>>> get()
      const& {
    return result(client::no_limit);
  }
  /// Throws Timeout if the result is not ready within the limit; it may still arrive.
  std::conditional_t<std::is_void_v<R>, void, std::add_lvalue_reference_t<const client::Held<R>>> get(
      For limit) const& {
    return result(limit);
  }
  R get() && { return taken(client::no_limit); }
  R get(For limit) && { return taken(limit); }

  void wait() const { job().wait(client::no_limit); }
  /// Returns whether the result is ready.
  bool wait_for(For limit) const { return job().wait(limit); }
  bool ready() const { return job().ready(); }
  /// Whether get() returns a result and throws nothing. ValueError: not ready yet.
  bool successful() const {
    if (!ready()) throw ValueError("the result is not there yet");
    return job().error() == nullptr;
  }

  /// Calls `callback(result)` (without arguments if the result is void) or `error_callback(exception_ptr)`
  /// once the task is done, before any waiter sees the result. Callbacks run on the pool's one collecting
  /// thread, so they should return soon, and cannot wait for the pool's results (DeadlockError). If the
  /// result is ready already, the calling thread calls the callback at once, which may then wait for other
  /// results. An exception that leaves it is printed.
  template <class F>
  AsyncResult& on_result(F callback) & {
    job().add_callback([job = job_.get(), callback = std::move(callback)]() mutable {
      if (job->error() != nullptr) return;
      if constexpr (std::is_void_v<R>) callback();
      else callback(std::as_const(job->value()));
    });
    return *this;
  }
  template <class F>
  AsyncResult& on_error(F callback) & {
    job().add_callback([job = job_.get(), callback = std::move(callback)]() mutable {
      if (std::exception_ptr error = job->error()) callback(error);
    });
    return *this;
  }
  template <class F>
  AsyncResult&& on_result(F callback) && {
    return std::move(on_result(std::move(callback)));
  }
  template <class F>
  AsyncResult&& on_error(F callback) && {
    return std::move(on_error(std::move(callback)));
  }

  /// Number of calls, and of those that have finished.
  std::size_t calls() const { return job().calls(); }
  std::size_t finished_calls() const { return job().finished_calls(); }

 private:
  client::ValueJob<R>& job() const {
    if (!job_) throw ValueError("this AsyncResult was moved from");
    return *job_;
  }
  client::Held<R>& finished(client::WaitLimit limit) const {
    if (!job().wait(limit)) client::throw_not_ready(limit);
    if (std::exception_ptr error = job().error()) std::rethrow_exception(error);
    return job().value();
  }
  std::conditional_t<std::is_void_v<R>, void, std::add_lvalue_reference_t<const client::Held<R>>> result(
      client::WaitLimit limit) const {
    if constexpr (std::is_void_v<R>) finished(limit);
    else return finished(limit);
  }
  R taken(client::WaitLimit limit) {
    if constexpr (std::is_void_v<R>) finished(limit);
    else return std::move(finished(limit));
  }

  std::shared_ptr<client::ValueJob<R>> job_;
};

/// Results one by one, as imap() and imap_unordered() return them: a range for a single pass by one thread.
/// next() first reads ahead in the input (see Pool::imap), for which no limit holds. If reading or submitting
/// an item throws, next() throws that in the place of the item's result, and the stream ends there. A stream may
/// outlive its pool: the results of what was submitted remain.
template <class R>
class ResultStream {
 public:
  using value_type = client::Held<R>;
  class iterator;

  ResultStream(std::shared_ptr<client::StreamedCalls<R>> job, std::unique_ptr<client::StreamInput> input)
      : job_(std::move(job)), input_(std::move(input)) {
    input_->fill(job_);
  }
  ResultStream(ResultStream&&) noexcept = default;
  ResultStream& operator=(ResultStream&&) noexcept = default;

  /// Waits for the next result; nullopt at the end. Throws what its call threw; the results after it remain
  /// available.
  std::optional<value_type> next() { return next_within(client::no_limit); }
  /// Throws Timeout if the result is not ready within the limit; it may still arrive.
  std::optional<value_type> next(For limit) { return next_within(limit); }

  iterator begin() { return iterator(*this); }
  std::default_sentinel_t end() const { return {}; }

  /// Number of calls submitted so far, and of those that have finished.
  std::size_t calls() const { return job_->calls(); }
  std::size_t finished_calls() const { return job_->finished_calls(); }

 private:
  std::optional<value_type> next_within(client::WaitLimit limit) {
    input_->fill(job_);
    return job_->next(limit);
  }

  std::shared_ptr<client::StreamedCalls<R>> job_;
  std::unique_ptr<client::StreamInput> input_;
};

template <class R>
class ResultStream<R>::iterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using value_type = ResultStream::value_type;
  using difference_type = std::ptrdiff_t;

  iterator() = default;
  explicit iterator(ResultStream& stream) : stream_(&stream), current_(stream.next()) {}
  value_type& operator*() const { return *current_; }
  value_type* operator->() const { return &*current_; }
  iterator& operator++() {
    current_ = stream_->next();
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const iterator& at, std::default_sentinel_t) { return !at.current_; }

 private:
  ResultStream* stream_ = nullptr;
  mutable std::optional<value_type> current_;
};

}  // namespace tandem
