#include "server/journal/journal.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "client/os/clock.hpp"
#include "tandem/ops/semantics.hpp"

namespace tandem::server {
namespace {

// More than a manager gives away of ids and tokens in the moment that a crash can make it forget.
constexpr std::uint64_t ids_skipped = std::uint64_t{1} << 32;
// By this part of journal_free_bytes_min even what frees memory is no longer taken: it needs a record too.
constexpr std::uint64_t reserve_part = 16;
// Longer batches are always left to the thread.
constexpr std::size_t bytes_here_max = 64 * 1024;
constexpr std::size_t changes_kept_max = 4'096;

}  // namespace

Journal::Journal(Engine& engine, Log& log, const Recovered& recovered, Options options)
    : engine_(engine),
      log_(log),
      recovered_(recovered),
      options_(std::move(options)),
      first_(recovered.index + 1),
      index_(recovered.index),
      since_snapshot_{recovered.inputs, recovered.log_bytes, recovered.engine_us} {}

// ---- beginning and end ------------------------------------------------------------------------------------

void Journal::start(const ServerInfo& info, const Limits& limits, std::vector<std::string> types,
                    std::uint64_t wall_ns, std::uint64_t now_ns) {
  pending_bytes_max_ = limits.journal_pending_bytes_max;
  free_bytes_min_ = limits.journal_free_bytes_min;
  clock_offset_ns_ = std::max({recovered_.now_ns + 1, wall_ns, now_ns}) - now_ns;
  const bool is_unclean = !recovered_.stopped_in_order && recovered_.level != JournalLevel::disk;
  const std::uint64_t skip = is_unclean || recovered_.may_lack_its_end ? ids_skipped : 0;
  // At level process, what was written survives this process; but not a machine that went down.
  const bool is_same_boot = !info.boot_id.empty() && info.boot_id == engine_.server_info().boot_id;
  may_have_lost_ = recovered_.may_lack_its_end ||
                   (is_unclean && (recovered_.level == JournalLevel::relaxed || !is_same_boot));
  StartRecord record{{info, limits, to_engine_ns(now_ns), skip},
                     start_number(),
                     ops::semantics,
                     options_.level,
                     std::move(types)};
  commit_start(record);
  CommitThread::Options of_thread;
  of_thread.level = options_.level;
  of_thread.sync_interval = std::chrono::milliseconds(limits.journal_sync_ms);
  of_thread.free_bytes_watched = free_bytes_min_;
  of_thread.busy_poll = options_.busy_poll;
  thread_ = std::make_unique<CommitThread>(log_, of_thread,
                                           CommitThread::Callbacks{options_.on_progress, options_.on_fatal});
}

void Journal::commit_start(const StartRecord& record) {
  writer_.begin_batch();
  writer_.write(open_, record);
  engine_.step(record.input);
  ++index_;
  effects_.add(engine_.deliveries(), 0);
  writer_.write(open_, CheckRecord{effects_.value()});
  const Batch batch{log_.tail().batch + 1, first_, index_, 0, open_.view()};
  if (log_.append(batch, true) != AppendStatus::ok)
    throw JournalError("a start cannot be recorded in the journal: " + log_.failure());
  since_snapshot_.inputs += 1;
  since_snapshot_.log_bytes += log_bytes_of(open_.size());
  open_.clear();
  writer_.begin_batch();
  effects_.reset();
  first_ = index_ + 1;
}

bool Journal::stop(std::chrono::milliseconds limit) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + limit;
  hand_over();
  if (!thread_->wait_until_idle(end)) return thread_->stop(std::chrono::milliseconds(0));
  writer_.write(open_, StopRecord{std::max(engine_.now_ns(), to_engine_ns(os::clock_ns()))});
  close_batch(false);
  return thread_->stop(std::chrono::ceil<std::chrono::milliseconds>(std::max(end - Clock::now(), {})));
}

// ---- inputs -----------------------------------------------------------------------------------------------

/// With half of an input done, the state would no longer be what the journal leads to.
template <class Step>
auto Journal::without_bad_alloc(Step&& step) {
  try {
    return step();
  } catch (const std::bad_alloc&) {
    options_.on_fatal("out of memory in the middle of an operation; nothing that was acknowledged is lost");
    std::abort();
  }
}

Outcome Journal::step(const Call& call, wire::Buffer& reply) {
  if (Failure failure; free_bytes() < free_bytes_min_ && !engine_.is_known(call) && refuses(call, failure))
      [[unlikely]] {
    wire::Writer(reply).text(failure.text);
    reply_depends_on_ = index_;
    return {.code = failure.code, .changed = false, .operation = engine_.operation_of(call.object, call.op)};
  }
  Call input = call;
  input.now_ns = std::max(to_engine_ns(call.now_ns), engine_.now_ns());
  // Before the step, which may take over the arguments.
  const std::size_t mark = open_.size();
  const std::uint64_t last_ns = writer_.last_ns();
  const auto take_back = [&] {
    open_.truncate(mark);
    writer_.continue_from(last_ns);
  };
  try {
    writer_.write(open_, input);
  } catch (...) {
    take_back();
    throw;
  }
  const std::size_t delivered = engine_.deliveries().all().size();
  const std::size_t reply_at = reply.size();
  const std::uint64_t began_ns = os::clock_ns();
  engine_.forget_others();
  const Outcome outcome = without_bad_alloc([&] { return engine_.step(input, reply); });
  if (!outcome.changed) {
    take_back();
    reply_depends_on_ = dependence_of_read(input, outcome);
    return outcome;
  }
  engine_ns_ += os::clock_ns() - began_ns;
  effects_.add(outcome, reply, reply_at);
  effects_.add(engine_.deliveries(), delivered);
  recorded(engine_.was_local(input, outcome) ? call.object : 0);
  reply_depends_on_ = index_;
  return outcome;
}

template <class Input>
void Journal::record(Input input) {
  input.now_ns = std::max(to_engine_ns(input.now_ns), engine_.now_ns());
  const std::size_t delivered = engine_.deliveries().all().size();
  const bool changed = without_bad_alloc([&] {
    if constexpr (std::is_void_v<decltype(engine_.step(input))>) {
      engine_.step(input);
      return true;
    } else {
      return engine_.step(input);
    }
  });
  if (!changed) return;
  without_bad_alloc([&] { writer_.write(open_, input); });
  effects_.add(engine_.deliveries(), delivered);
  recorded(0);
}

template void Journal::record(Cancel);
template void Journal::record(Tick);
template void Journal::record(SessionOpened);
template void Journal::record(SessionIdentified);
template void Journal::record(SessionClosed);
template void Journal::record(LaneOpened);
template void Journal::record(LaneEnded);
template void Journal::record(Acknowledged);

/// `only_changed`: 0 if it may have been more than one object.
void Journal::recorded(ObjectId only_changed) {
  ++index_;
  if (only_changed == 0) {
    others_changed_at_ = index_;
    return;
  }
  if (changed_at_.size() >= changes_kept_max) forget_safe_changes();
  changed_at_[only_changed] = index_;
}

/// If that are too few, reads of any object wait for what was recorded so far.
void Journal::forget_safe_changes() {
  const std::uint64_t safe = safe_index();
  std::vector<ObjectId> safe_ones;
  changed_at_.each([&](ObjectId object, std::uint64_t index) {
    if (index <= safe) safe_ones.push_back(object);
  });
  for (const ObjectId object : safe_ones) changed_at_.erase(object);
  if (changed_at_.size() < changes_kept_max / 2) return;
  changed_at_ = {};
  others_changed_at_ = index_;
}

namespace {

/// Whether an outcome with this code follows from the object of the call alone, and its arguments were valid.
bool is_of_object(Code code) {
  switch (code) {
    case Code::ok:
    case Code::key_error:
    case Code::index_error:
    case Code::overflow:
    case Code::not_owner:
    case Code::closed: return true;
    default: return false;
  }
}

}  // namespace

std::uint64_t Journal::dependence_of_read(const Call& call, const Outcome& outcome) const {
  if (!engine_.was_local(call, outcome) || !is_of_object(outcome.code)) return index_;
  bool names_others = false;  // whether they exist is told, too
  for_each_reference(call.arguments, [&](wire::Reference) { names_others = true; });
  if (names_others) return index_;
  const std::uint64_t* changed_at = changed_at_.find(call.object);
  return std::max(others_changed_at_, changed_at == nullptr ? 0 : *changed_at);
}

/// Whether the disk has too little room for it.
bool Journal::refuses(const Call& input, Failure& failure) const {
  const std::uint16_t operation = engine_.operation_of(input.object, input.op);
  if (operation == operation_none) return false;
  const ops::Effect effect = engine_.operations()[operation].op->effect;
  const bool refused = effect == ops::Effect::writes ||
                       (effect != ops::Effect::reads && free_bytes() < free_bytes_min_ / reserve_part);
  if (refused)
    failure = {Code::resource_exhausted, "the journal's disk has " + std::to_string(free_bytes()) +
                                             " bytes left, less than journal_free_bytes_min (" +
                                             std::to_string(free_bytes_min_) + ")"};
  return refused;
}

void Journal::close_batch(bool wants_here) {
  writer_.write(open_, CheckRecord{effects_.value()});
  since_snapshot_.inputs += index_ + 1 - first_;
  since_snapshot_.log_bytes += log_bytes_of(open_.size());
  since_snapshot_.engine_us += engine_ns_ / 1'000;
  const bool here = wants_here && thread_->commit_here(open_, first_, index_, engine_ns_ / 1'000);
  if (!here) thread_->commit(open_, first_, index_, engine_ns_ / 1'000);
  writer_.begin_batch();
  effects_.reset();
  first_ = index_ + 1;
  engine_ns_ = 0;
}

/// Two changes of threads take longer than a short write, and than the sync of a fast disk.
bool Journal::is_faster_here() const {
  const bool is_fast = options_.level == JournalLevel::process ||
                       (options_.level == JournalLevel::disk && thread_->sync_is_fast());
  return options_.commits_here && is_fast && open_.size() <= bytes_here_max;
}

bool Journal::settle() {
  is_settling_ = !thread_->is_idle();
  if (is_settling_) return false;
  if (!open_.empty()) close_batch(true);
  return thread_->is_idle();
}

SnapshotHeader Journal::describe_state() const {
  SnapshotHeader header;
  header.position = thread_->tail();
  header.start = start_number();
  header.now_ns = engine_.now_ns();
  header.semantics = ops::semantics;
  header.level = options_.level;
  return header;
}

// ---- what is safe, and when -------------------------------------------------------------------------------

std::uint64_t Journal::safe_index() const {
  switch (options_.level) {
    case JournalLevel::relaxed: return index_;
    case JournalLevel::process: return thread_->written_index();
    case JournalLevel::disk: break;
  }
  return thread_->synced_index();
}

std::uint64_t Journal::to_steady_ns(std::uint64_t engine_ns) const {
  if (engine_ns == never_ns) return never_ns;
  return engine_ns > clock_offset_ns_ ? engine_ns - clock_offset_ns_ : 0;
}

}  // namespace tandem::server
