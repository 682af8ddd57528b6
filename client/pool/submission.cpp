// What submits calls to a pool: Submission, in requests, and StreamInput, as results are taken.

#include <iterator>
#include <limits>
#include <utility>

#include "client/common/utf8.hpp"
#include "client/pool/outcome.hpp"
#include "client/pool/pool_core.hpp"
#include "client/session/session.hpp"
#include "tandem/pool.hpp"

namespace tandem::client {
namespace {

/// Tasks are submitted in requests of about this size.
constexpr std::size_t request_bytes = 256 * 1024;

}  // namespace

// ---- submitting -------------------------------------------------------------------------------------------

Submission::Submission(PoolCore& core, std::shared_ptr<Job> job, Function function, std::size_t chunk_size,
                       std::size_t first)
    : core_(core),
      job_(std::move(job)),
      function_(core.id_of(function)),
      chunk_size_(chunk_size),
      next_(first),
      encoder_{wire::Writer(calls_), core.manager().session().get(), nullptr, &kept_} {}

Submission::~Submission() {
  if (!tags_.empty()) core_.forget(tags_);
}

void Submission::end_chunk() {
  wire::Writer chunk(chunk_);
  chunk.array(1 + calls_in_chunk_);
  chunk.text(function_);
  chunk.raw(calls_.view());
  if (kept_.empty()) check_texts(chunk_.view());  // folded, the manager does not see them
  if (!tags_.empty() && tasks_.size() + chunk_.size() >= request_bytes) send_tasks();
  tags_.push_back(core_.expect(job_, next_, calls_in_chunk_));
  wire::Writer writer(tasks_);
  writer.array(3);
  writer.integer(tags_.back());
  writer.unsigned_integer(calls_in_chunk_);
  write_folded(writer, chunk_.view(), !kept_.empty());
  std::move(kept_.begin(), kept_.end(), std::back_inserter(kept_in_tasks_));
  next_ += std::exchange(calls_in_chunk_, 0);
  kept_.clear();
  calls_.clear();
  chunk_.clear();
}

void Submission::send_tasks() {
  core_.submit(tags_.size(), tasks_.view());
  tasks_.clear();
  tags_.clear();
  kept_in_tasks_.clear();
}

void Submission::fail_unsent(const std::exception_ptr& error) {
  for (std::int64_t tag : std::exchange(tags_, {})) core_.fail(tag, error);
  if (calls_in_chunk_ != 0) job_->failed(next_, std::exchange(calls_in_chunk_, 0), error);
}

void Submission::send() {
  if (calls_in_chunk_ != 0) end_chunk();
  if (!tags_.empty()) send_tasks();
  if (job_->calls() == 0) job_->failed(0, 0, nullptr);  // there are no outcomes to wait for
}

// ---- streams ----------------------------------------------------------------------------------------------

StreamInput::StreamInput(const std::shared_ptr<PoolCore>& core, Function function, std::size_t chunk_size,
                         std::size_t calls_max, bool in_memory)
    : core_(core),
      function_(function),
      chunk_size_(chunk_size),
      calls_max_(calls_max),
      in_memory_(in_memory) {
  core->stream_began();
}

StreamInput::~StreamInput() {
  end();
}

void StreamInput::end() noexcept {
  if (std::exchange(ended_, true)) return;
  if (const std::shared_ptr<PoolCore> core = core_.lock()) core->stream_ended();
}

void StreamInput::fill(const std::shared_ptr<StreamJob>& job) {
  if (ended_) return;
  std::size_t room = calls_max_ - job->untaken();
  if (in_memory_ && room < calls_max_ / 2) return;  // so that several chunks travel together
  std::optional<Submission> submission;
  const std::shared_ptr<PoolCore> core = core_.lock();
  try {
    if (!core) throw Closed("the pool was terminated");
    core->check_ours();
    submission.emplace(*core, job, function_, std::numeric_limits<std::size_t>::max(), job->calls());
    for (; room >= chunk_size_; room -= chunk_size_) {
      const bool more = read_chunk(*job, *submission);
      // The next item of another input may not be there for long.
      if (!in_memory_ || !more) submission->send();
      if (!more) return end();
      if (!in_memory_ && job->has_next()) return;
    }
    submission->send();
  } catch (...) {
    if (submission) submission->fail_unsent(std::current_exception());
    else fail_next(*job, std::current_exception());
    end();
  }
}

/// Returns whether there may be more.
bool StreamInput::read_chunk(StreamJob& job, Submission& to) {
  std::size_t count = 0;
  std::exception_ptr error;
  try {
    while (count < chunk_size_ && read(to)) ++count;
  } catch (...) {
    error = std::current_exception();
  }
  job.add_calls(count);
  if (count != 0) to.end_chunk();
  if (error) fail_next(job, error);
  return count == chunk_size_ && !error;
}

void StreamInput::fail_next(StreamJob& job, const std::exception_ptr& error) {
  job.add_calls(1);
  job.failed(job.calls() - 1, 1, error);
}

}  // namespace tandem::client
