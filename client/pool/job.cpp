#include "client/pool/outcome.hpp"
#include "client/process/exception_text.hpp"
#include "tandem/async_result.hpp"
#include "tandem/process.hpp"

namespace tandem::client {

std::size_t Job::calls() const {
  std::lock_guard lock(mutex_);
  return calls_;
}

std::size_t Job::finished_calls() const {
  std::lock_guard lock(mutex_);
  return calls_ - left_;
}

bool Job::ready() const {
  std::lock_guard lock(mutex_);
  return ready_;
}

bool Job::wait(WaitLimit limit) const {
  std::unique_lock lock(mutex_);
  if (ready_) return true;
  check_may_wait_locked();
  auto is_ready = [this] { return ready_; };
  if (limit) return changed_.wait_for(lock, *limit, is_ready);
  changed_.wait(lock, is_ready);
  return true;
}

void Job::check_may_wait_locked() const {
  if (std::this_thread::get_id() == collector_)
    throw DeadlockError("a callback of a pool waits for a result that is brought when it has returned");
}

void Job::collected_by(std::thread::id thread) {
  std::lock_guard lock(mutex_);
  collector_ = thread;
}

std::exception_ptr Job::error() const {
  std::lock_guard lock(mutex_);
  return error_;
}

namespace {

void call(const std::function<void()>& callback) noexcept {
  try {
    callback();
  } catch (...) {
    print_current_exception(current_process().name());
  }
}

}  // namespace

void Job::add_callback(std::function<void()> callback) {
  {
    std::lock_guard lock(mutex_);
    if (!ready_) return callbacks_.push_back(std::move(callback));
  }
  call(callback);
}

namespace {

/// Reads the failures and leaves `from` at the values. Returns false if it is not a worker's result.
bool read_failures(wire::Reader& from, std::size_t calls, std::vector<FailedCall>& failures) {
  std::uint32_t parts = 0;
  std::uint32_t count = 0;
  if (!from.array(parts) || parts != calls + 1 || !from.array(count)) return false;
  for (; count != 0; --count) {
    std::optional<FailedCall> failure = read_failure(from);
    if (!failure) return false;
    failures.push_back(std::move(*failure));
  }
  return true;
}

}  // namespace

void Job::results_came(std::size_t first, std::size_t count, Decoder from) {
  std::vector<FailedCall> failures;
  if (!read_failures(from.reader, count, failures)) {
    release_references(from.session, from.reader.rest());
    return failed(first, count,
                  std::make_exception_ptr(ProtocolError("a pool's worker handed in what cannot be read")));
  }
  auto next_failure = failures.begin();
  for (std::size_t call = 0; call < count; ++call) {
    if (next_failure != failures.end() && next_failure->call == call) {
      (void)from.reader.skip();
      call_failed(first + call, (next_failure++)->error);
      continue;
    }
    const wire::Reader before = from.reader;
    try {
      store(first + call, from);
    } catch (...) {
      from.reader = before;
      (void)from.reader.skip();
      call_failed(first + call, std::current_exception());
    }
  }
  calls_finished(count);
}

void Job::failed(std::size_t first, std::size_t count, const std::exception_ptr& error) {
  for (std::size_t i = first; i < first + count; ++i) call_failed(i, error);
  calls_finished(count);
}

void Job::call_failed(std::size_t index, const std::exception_ptr& error) {
  {
    std::lock_guard lock(mutex_);
    if (!error_ || index < error_index_) {
      error_ = error;
      error_index_ = index;
    }
  }
  store_error(index, error);
}

void Job::calls_finished(std::size_t count) {
  {
    std::lock_guard lock(mutex_);
    left_ -= count;
    if (left_ != 0) return;
  }
  if (!error()) complete();
  // Callbacks run first, including those added meanwhile: once ready_ is visible, all of them have run.
  for (;;) {
    std::vector<std::function<void()>> callbacks;
    {
      std::lock_guard lock(mutex_);
      callbacks.swap(callbacks_);
      if (callbacks.empty()) {
        ready_ = true;
        changed_.notify_all();
        return;
      }
    }
    for (const auto& callback : callbacks) call(callback);
  }
}

// ---- streams ----------------------------------------------------------------------------------------------

void StreamJob::add_calls(std::size_t count) {
  std::lock_guard lock(mutex_);
  add_calls_locked(count);
  make_room_locked(count);
}

std::size_t StreamJob::untaken() const {
  std::lock_guard lock(mutex_);
  return calls_locked() - taken_;
}

bool StreamJob::has_next() const {
  std::lock_guard lock(mutex_);
  return has_next_locked();
}

void throw_not_ready(WaitLimit limit) {
  const auto us = limit.value_or(std::chrono::microseconds{0}).count();
  throw Timeout("the result is not there after " +
                (us % 1000 == 0 ? std::to_string(us / 1000) + " ms" : std::to_string(us) + " us"));
}

}  // namespace tandem::client
