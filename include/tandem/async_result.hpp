#pragma once
// AsyncResult: what a pool's task will give; ResultStream: what many of them give, one by one. See pool.hpp.
//
//   Python (multiprocessing.pool)      here
//   r.get(), r.get(timeout)            r.get(), r.get(limit)                Timeout
//   r.wait(), r.wait(timeout)          r.wait(), r.wait_for(limit) → bool
//   r.ready(), r.successful()          the same                             ValueError: it is not ready
//   f(…, callback, error_callback)     r.on_result(callback), r.on_error(error_callback)
//   for x in pool.imap(…)              for (auto& x : pool.imap(…))
//   it.next(), it.next(timeout)        it.next(), it.next(limit) → optional, none at the end

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

namespace tandem {

namespace client {

/// What is kept of a result.
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

/// One submission: so many calls, whose outcomes come chunk by chunk on the pool's collecting thread.
class Job {
 public:
  explicit Job(std::size_t calls) : calls_(calls), left_(calls) {}
  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  std::size_t calls() const { return calls_; }
  std::size_t finished_calls() const;
  bool ready() const;
  /// Gives whether it is ready. DeadlockError: the collecting thread asks, in a callback, for what itself is to bring.
  bool wait(WaitLimit limit) const;
  /// Of the first call that failed; null.
  std::exception_ptr error() const;
  /// Called when it is ready: now, if it is.
  void add_callback(std::function<void()> callback);

  // On the collecting thread.

  /// Of the calls from `first` on, as a worker wrote them (client/pool/outcome.hpp) and unfolded.
  void results_came(std::size_t first, std::size_t count, Decoder from);
  void failed(std::size_t first, std::size_t count, const std::exception_ptr& error);
  void collected_by(std::thread::id thread) { collector_ = thread; }

 protected:
  virtual void store(std::size_t index, Decoder& value) = 0;
  virtual void store_error(std::size_t, const std::exception_ptr&) {}
  /// All calls have succeeded.
  virtual void complete() {}

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;

 private:
  void call_failed(std::size_t index, const std::exception_ptr& error);
  void calls_finished(std::size_t count);

  const std::size_t calls_;
  std::thread::id collector_;
  // Guarded by mutex_.
  std::size_t left_;
  bool ready_ = false;
  std::size_t error_index_ = 0;
  std::exception_ptr error_;
  std::vector<std::function<void()>> callbacks_;
};

/// One whose results make one value.
template <class R>
class ValueJob : public Job {
 public:
  using Job::Job;
  /// Good once it is ready without an error.
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

template <class R>
class StreamedCalls final : public Job {
 public:
  StreamedCalls(std::size_t calls, bool ordered) : Job(calls), ordered_(ordered), results_(calls) {}
  /// The next one; none: there are no more. Throws what the call threw.
  std::optional<Held<R>> next(WaitLimit limit);
  bool ended() const { return taken_ == calls(); }

 protected:
  void store(std::size_t index, Decoder& from) override { arrived(index, decode_held<R>(from)); }
  void store_error(std::size_t index, const std::exception_ptr& error) override { arrived(index, error); }

 private:
  using Result = std::variant<std::monostate, std::exception_ptr, Held<R>>;
  template <class T>
  void arrived(std::size_t index, T&& result) {
    std::lock_guard lock(mutex_);
    if constexpr (std::is_same_v<std::decay_t<T>, std::exception_ptr>)
      results_[index].template emplace<1>(result);
    else results_[index].template emplace<2>(std::forward<T>(result));
    if (!ordered_) order_.push_back(index);
    changed_.notify_all();
  }
  bool has_next() const { return ordered_ ? results_[taken_].index() != 0 : !order_.empty(); }

  const bool ordered_;
  std::vector<Result> results_;
  std::deque<std::size_t> order_;  // of their coming, those not taken yet
  std::size_t taken_ = 0;
};

[[noreturn]] void throw_not_there(WaitLimit limit);

template <class R>
std::optional<Held<R>> StreamedCalls<R>::next(WaitLimit limit) {
  std::unique_lock lock(mutex_);
  if (ended()) return std::nullopt;
  auto there = [this] { return has_next(); };
  if (!limit) changed_.wait(lock, there);
  else if (!changed_.wait_for(lock, *limit, there)) throw_not_there(limit);
  std::size_t index = taken_++;
  if (!ordered_) {
    index = order_.front();
    order_.pop_front();
  }
  Result result = std::exchange(results_[index], {});
  lock.unlock();
  if (result.index() == 1) std::rethrow_exception(std::get<1>(result));
  return std::get<2>(std::move(result));
}

}  // namespace client

/// What a task gives, some time. Movable, not copyable; any thread may wait for it. It may be dropped: the task is done
/// nevertheless. It may outlive its pool.
///
/// What get() throws: what the function threw, if that is a class of tandem's or one of the standard's (<stdexcept>,
/// std::bad_alloc, std::bad_cast, std::system_error, …), else RemoteError, which has its type and text; WorkerDied when
/// its worker died; Closed when the pool was terminated; ConnectionError when the manager went away. Of a map's calls the
/// first one that failed decides.
template <class R>
class AsyncResult {
 public:
  AsyncResult() = default;
  explicit AsyncResult(std::shared_ptr<client::ValueJob<R>> job) : job_(std::move(job)) {}
  AsyncResult(AsyncResult&&) noexcept = default;
  AsyncResult& operator=(AsyncResult&&) noexcept = default;

  /// Waits for it. Again and again it gives the same; from a temporary it moves the result out.
  std::conditional_t<std::is_void_v<R>, void, std::add_lvalue_reference_t<const client::Held<R>>> get()
      const& {
    return result(client::no_limit);
  }
  /// Timeout: it is not there within the limit, and still to come.
  std::conditional_t<std::is_void_v<R>, void, std::add_lvalue_reference_t<const client::Held<R>>> get(
      For limit) const& {
    return result(limit);
  }
  R get() && { return taken(client::no_limit); }
  R get(For limit) && { return taken(limit); }

  void wait() const { job().wait(client::no_limit); }
  /// Gives whether it is there.
  bool wait_for(For limit) const { return job().wait(limit); }
  bool ready() const { return job().ready(); }
  /// Whether get() gives a result and throws nothing. ValueError: it is not there yet.
  bool successful() const {
    if (!ready()) throw ValueError("the result is not there yet");
    return job().error() == nullptr;
  }

  /// `callback(result)`, without arguments where there is no result, or `error_callback(exception_ptr)` is called when it
  /// is there, before anybody else sees it: on the pool's one thread for that, so it should return soon, and cannot wait
  /// for the pool's results (DeadlockError); or at once, if it is there already. An exception that leaves it is printed.
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

  /// Calls in all, and those of them that have come to an end.
  std::size_t calls() const { return job().calls(); }
  std::size_t finished_calls() const { return job().finished_calls(); }

 private:
  client::ValueJob<R>& job() const {
    if (!job_) throw ValueError("this AsyncResult was moved from");
    return *job_;
  }
  client::Held<R>& finished(client::WaitLimit limit) const {
    if (!job().wait(limit)) client::throw_not_there(limit);
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

/// Results one by one, as imap() and imap_unordered() give them: a range to go through once, by one thread.
template <class R>
class ResultStream {
 public:
  using value_type = client::Held<R>;
  class iterator;

  explicit ResultStream(std::shared_ptr<client::StreamedCalls<R>> job) : job_(std::move(job)) {}
  ResultStream(ResultStream&&) noexcept = default;
  ResultStream& operator=(ResultStream&&) noexcept = default;

  /// Waits for the next one; none: that was all. Throws what its call threw; the one behind it can be had all the same.
  std::optional<value_type> next() { return job_->next(client::no_limit); }
  /// Timeout: it is not there within the limit, and still to come.
  std::optional<value_type> next(For limit) { return job_->next(limit); }

  iterator begin() { return iterator(*this); }
  std::default_sentinel_t end() const { return {}; }

  std::size_t calls() const { return job_->calls(); }
  std::size_t finished_calls() const { return job_->finished_calls(); }

 private:
  std::shared_ptr<client::StreamedCalls<R>> job_;
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
