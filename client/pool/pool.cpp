#include "tandem/pool.hpp"

#include <unistd.h>

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "client/pool/outcome.hpp"
#include "client/pool/pool_core.hpp"
#include "client/pool/pool_worker.hpp"
#include "client/session/session.hpp"

namespace tandem {
namespace client {
namespace {

/// Chunks that a worker gets by default, of a map or at a time.
constexpr std::size_t chunks_per_worker = 4;

unsigned workers_of(const PoolOptions& options, bool named) {
  const unsigned workers = options.workers.value_or(cpu_count());
  if (workers == 0 && !named) throw ValueError("a pool needs at least one worker");
  return workers;
}

}  // namespace

// ---- streams ----------------------------------------------------------------------------------------------

void PoolCore::stream_began() {
  check_ours();
  std::lock_guard lock(mutex_);
  check_open_locked();
  ++streams_;
}

void PoolCore::stream_ended() noexcept {
  if (!ours()) return;
  {
    std::lock_guard lock(mutex_);
    if (--streams_ != 0 || state_ != State::closed || lost_) return;
  }
  try {
    pool_.close();
  } catch (const std::exception&) {
    // The manager has ended, which the collector finds too.
  }
}

// ---- the core's side --------------------------------------------------------------------------------------

void PoolCore::check_open_locked() const {
  if (state_ != State::open) throw ValueError("the pool is closed");
  if (lost_) std::rethrow_exception(lost_);
}

void PoolCore::check_open() {
  check_ours();
  std::lock_guard lock(mutex_);
  check_open_locked();
}

std::string PoolCore::id_of(Function function) {
  check_ours();
  std::lock_guard lock(ids_mutex_);
  for (const auto& [known, id] : ids_)
    if (known == function) return id;
  return ids_.emplace_back(function, functions_.id_of(function)).second;
}

std::int64_t PoolCore::expect(const std::shared_ptr<Job>& job, std::size_t first, std::size_t count) {
  std::lock_guard lock(mutex_);
  if (lost_) std::rethrow_exception(lost_);
  if (state_ == State::terminated) throw Closed("the pool was terminated");
  job->collected_by(collector_.get_id());
  expected_.emplace_hint(expected_.end(), next_tag_, Expected{job, first, count});
  return next_tag_++;
}

void PoolCore::forget(const std::vector<std::int64_t>& tags) {
  for (std::int64_t tag : tags) (void)take(tag);
  std::lock_guard lock(mutex_);
  all_delivered_.notify_all();
}

void PoolCore::fail(std::int64_t tag, const std::exception_ptr& error) {
  if (const std::optional<Expected> expected = take(tag))
    expected->job->failed(expected->first, expected->count, error);
  std::lock_guard lock(mutex_);
  all_delivered_.notify_all();
}

void PoolCore::submit(std::size_t count, wire::Bytes tasks) {
  pool_.submit(submitter_, retries_, EncodedItems(count, tasks));
}

// ---- collecting -------------------------------------------------------------------------------------------

std::optional<PoolCore::Expected> PoolCore::take(std::int64_t tag) {
  std::lock_guard lock(mutex_);
  auto found = expected_.find(tag);
  if (found == expected_.end()) return std::nullopt;
  Expected expected = std::move(found->second);
  expected_.erase(found);
  return expected;
}

void PoolCore::deliver_one(wire::Reader outcome) {
  std::uint32_t parts = 0;
  std::int64_t tag = 0;
  std::int64_t code = 0;
  if (!outcome.array(parts) || parts < 3 || !outcome.int64(tag) || !outcome.int64(code))
    throw ProtocolError("the outcome of a pool's task cannot be read");
  const std::optional<Expected> expected = take(tag);
  if (!expected) return release_references(manager_.session().get(), outcome.rest());
  if (code == 0)
    return expected->job->results_came(expected->first, expected->count,
                                       Decoder{unfolded(outcome), manager_.session().get()});
  std::string_view text;
  (void)outcome.text(text);
  std::exception_ptr error;
  if (static_cast<Code>(code) == Code::worker_died) {
    std::int64_t pid = 0;
    std::int64_t exit_code = 0;
    (void)outcome.int64(pid);
    const bool known = outcome.int64(exit_code);
    error = std::make_exception_ptr(WorkerDied(
        std::string(text), pid, known ? std::optional(static_cast<int>(exit_code)) : std::nullopt));
  } else {
    try {
      throw_error(static_cast<Code>(code), std::string(text));
    } catch (...) {
      error = std::current_exception();
    }
  }
  expected->job->failed(expected->first, expected->count, error);
}

void PoolCore::deliver(wire::Bytes outcomes) {
  {
    std::lock_guard lock(mutex_);
    delivering_ = true;
  }
  wire::Reader reader(outcomes);
  std::uint32_t count = 0;
  (void)reader.array(count);
  for (wire::Bytes outcome; reader.value(outcome);) deliver_one(wire::Reader(outcome));
  std::lock_guard lock(mutex_);
  delivering_ = false;
  all_delivered_.notify_all();
}

void PoolCore::fail_all(const std::exception_ptr& error) {
  std::map<std::int64_t, Expected> failed;
  {
    std::lock_guard lock(mutex_);
    lost_ = error;
    failed.swap(expected_);
    delivering_ = true;
  }
  for (auto& [tag, expected] : failed) expected.job->failed(expected.first, expected.count, error);
  std::lock_guard lock(mutex_);
  delivering_ = false;
  all_delivered_.notify_all();
}

void PoolCore::collect(const std::stop_token& stop) noexcept {
  try {
    while (!stop.stop_requested()) {
      const EncodedResult outcomes = pool_.collect(submitter_, no_limit, stop);
      deliver(outcomes.bytes.view());
    }
  } catch (...) {
    fail_all(std::current_exception());
    stop_workers();
  }
}

// ---- lifecycle -------------------------------------------------------------------------------------------

PoolCore::PoolCore(Manager manager, std::string name, const PoolOptions& options)
    : owner_(getpid()),
      name_(std::move(name)),
      retries_(options.retries),
      functions_(options.functions),
      workers_(workers_of(options, !name_.empty())),
      manager_(std::move(manager)) {
  auto enter = [this](const TaskPool& pool) { submitter_ = pool.enter(); };
  if (name_.empty()) enter(pool_ = manager_.create<TaskPool>());
  else pool_ = enter_named(manager_, name_, enter);
  if (workers_ != 0) start_workers(options);
  collector_ = std::jthread([this](const std::stop_token& stop) { collect(stop); });
}

void PoolCore::start_workers(const PoolOptions& options) {
  wire::Buffer initializer;
  if (options.initializer) {
    Encoder to{wire::Writer(initializer), manager_.session().get(), nullptr, &kept_};
    to.writer.array(2);
    to.writer.text(options.initializer.function().id());
    options.initializer.encode_arguments(to);
  }
  const auto* begin = reinterpret_cast<const std::byte*>(initializer.data());
  tandem::Pipe pipe(false);
  const Process::Options process{.name = "PoolSupervisor", .daemon = true};
  Bytes bytes(begin, begin + initializer.size());
  supervisor_ =
      options.start_method == StartMethod::spawn
          ? Process::spawn(process, supervise, pool_, submitter_, workers_, options.max_tasks_per_child,
                           functions_.ids(), std::move(bytes), std::move(pipe.first))
          : Process(process, supervise, pool_, submitter_, workers_, options.max_tasks_per_child,
                    functions_.ids(), std::move(bytes), std::move(pipe.first));
  control_ = std::move(pipe.second);
}

PoolCore::~PoolCore() {
  end();
}

void PoolCore::end() noexcept {
  terminate();
  try {
    join();
  } catch (const std::exception&) {
    // The end of a pool cannot report it.
  }
}

std::size_t PoolCore::workers_in_all() const {
  std::size_t workers = std::max(1U, workers_);
  if (!name_.empty()) workers = std::max(workers, static_cast<std::size_t>(pool_.progress().workers));
  return workers;
}

bool PoolCore::ours() const noexcept {
  return owner_ == getpid();
}

void PoolCore::check_ours() const {
  if (!ours()) throw ValueError("a pool belongs to the process that constructed it, and this is another one");
}

void PoolCore::stop_workers() noexcept {
  std::lock_guard lock(control_mutex_);
  try {
    if (!control_.closed()) control_.send(true);
  } catch (const std::exception&) {
    // The supervisor has ended.
  }
}

void PoolCore::close() {
  check_ours();
  {
    std::lock_guard lock(mutex_);
    if (state_ != State::open) return;
    state_ = State::closed;
    if (lost_ || streams_ != 0) return;
  }
  pool_.close();
}

void PoolCore::terminate() noexcept {
  {
    std::lock_guard lock(mutex_);
    if (state_ == State::terminated || joined_) return;
    state_ = State::terminated;
  }
  try {
    pool_.terminate();
  } catch (const std::exception&) {
    // The manager has ended, which the collector finds too.
  }
  stop_workers();
}

void PoolCore::join() {
  check_ours();
  {
    std::unique_lock lock(mutex_);
    if (state_ == State::open) throw ValueError("the pool is still open: close() or terminate() it first");
    if (joined_) return;
    if (state_ == State::closed && streams_ != 0 && !lost_)
      throw ValueError(
          "a stream of imap() has not come to the end of its input: take its results, or destroy it, first");
    all_delivered_.wait(lock, [this] { return expected_.empty() && !delivering_; });
    joined_ = true;
  }
  if (workers_ != 0) supervisor_.join();
  collector_.request_stop();
  collector_.join();
  control_.close();
  try {
    pool_.exit(submitter_);
  } catch (const std::exception&) {
    // The manager has ended or the pool was removed: nothing is left to clean up.
  }
}

}  // namespace client

// ---- Pool -------------------------------------------------------------------------------------------------

Pool::Pool() : Pool(PoolOptions{}) {}
Pool::Pool(unsigned workers) : Pool(PoolOptions{.workers = workers}) {}
Pool::Pool(const PoolOptions& options) {
  (void)client::workers_of(options, false);  // checked before a manager is started
  core_ = std::make_shared<client::PoolCore>(Manager(), "", options);
}
Pool::Pool(const Manager& manager, const PoolOptions& options)
    : core_(std::make_shared<client::PoolCore>(manager, "", options)) {}
Pool::Pool(const Manager& manager, std::string_view name, const PoolOptions& options) {
  if (name.empty()) throw ValueError("a pool's name is not empty");
  core_ = std::make_shared<client::PoolCore>(manager, std::string(name), options);
}
Pool::Pool(Pool&&) noexcept = default;
Pool& Pool::operator=(Pool&& other) noexcept {
  if (this == &other) return *this;
  Pool old(std::move(*this));
  core_ = std::move(other.core_);
  return *this;
}
Pool::~Pool() {
  if (!core_) return;
  if (core_->ours()) core_->end();
  else
    new (std::nothrow)
        std::shared_ptr(std::move(core_));  // fork() copied this, but not its thread: never destroyed
}

const std::shared_ptr<client::PoolCore>& Pool::shared_core() const {
  if (!core_) throw ValueError("this Pool was moved from");
  core_->check_ours();
  return core_;
}

client::PoolCore& Pool::core() const {
  return *shared_core();
}

void Pool::check_open() const {
  core().check_open();
}

std::size_t Pool::chunk_size_for(std::size_t calls, std::size_t asked) const {
  if (asked != 0) return asked;
  const std::size_t parts = client::chunks_per_worker * core().workers_in_all();
  return std::max<std::size_t>(1, calls / parts + (calls % parts != 0));
}

std::size_t Pool::calls_ahead(std::size_t chunk_size, std::size_t buffer_size, bool in_memory) const {
  constexpr std::size_t in_memory_min = 1'000;  // a request then has many small calls
  if (chunk_size == 0) throw ValueError("a chunk has at least one call");
  if (buffer_size != 0) return std::max(buffer_size, chunk_size);
  const std::size_t chunks = client::chunks_per_worker * core().workers_in_all();
  const std::size_t calls =
      chunk_size <= std::numeric_limits<std::size_t>::max() / chunks ? chunks * chunk_size : chunk_size;
  return in_memory ? std::max(calls, in_memory_min) : calls;
}

void Pool::close() {
  core().close();
}
void Pool::terminate() {
  core().terminate();
}
void Pool::join() {
  core().join();
}
PoolProgress Pool::progress() const {
  return core().pool().progress();
}
unsigned Pool::workers() const {
  return core().workers();
}
const Manager& Pool::manager() const {
  return core().manager();
}

}  // namespace tandem
