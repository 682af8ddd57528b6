#include "server/kept_journal.hpp"

#include <spdlog/logger.h>
#include <unistd.h>
#include <asio/post.hpp>

#include <chrono>

#include "client/os/clock.hpp"
#include "tandem/error.hpp"

namespace tandem::server {
namespace {

constexpr std::uint64_t inputs_between_looks = 1024;  // at the clock, while recovering

std::unique_ptr<SqliteLog> open_log(const ServerOptions& options) {
  for (const HostedType& type : options.types)
    if (!type.type().can_save)
      throw ValueError("hosted type " + std::string(type.name()) +
                       " has no save() and load() (tandem/hosted.hpp), which a journal needs");
  SqliteLog::Options wanted;
  wanted.accept_loss = options.journal_accept_loss;
  // Beside a sync it costs nothing to note it.
  if (options.journal_level == JournalLevel::disk) wanted.witness_interval = {};
  return SqliteLog::open(options.journal, SqliteLog::Mode::use, wanted);
}

std::vector<std::string> names_of(const std::vector<HostedType>& types) {
  std::vector<std::string> names;
  names.reserve(types.size());
  for (const HostedType& type : types) names.emplace_back(type.name());
  return names;
}

std::uint64_t wall_clock_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::max(std::chrono::nanoseconds(now).count(), std::int64_t{0}));
}

}  // namespace

KeptJournal::KeptJournal(const ServerOptions& options, spdlog::logger& log)
    : logger_(log), folder_(options.journal), log_(open_log(options)), snapshots_(folder_) {
  snapshots_.remove_parts();
}

void KeptJournal::start(Engine& engine, const ServerInfo& info, const Limits& limits,
                        const ServerOptions& options, asio::io_context& io, const OnRecovery& on_recovery) {
  const Recovered recovered = replay(engine, on_recovery);
  Journal::Options wanted;
  wanted.folder = folder_;
  wanted.level = options.journal_level;
  wanted.busy_poll = options.busy_poll;
  wanted.on_progress = [this, &io] {
    if (progress_is_posted_.exchange(true)) return;
    asio::post(io, [this] {
      progress_is_posted_ = false;
      on_progress();
    });
  };
  wanted.on_fatal = [this](const std::string& why) { fail(why); };
  journal_ = std::make_unique<Journal>(engine, *log_, recovered, std::move(wanted));
  journal_->start(info, limits, names_of(options.types), wall_clock_ns(), os::clock_ns());
  snapshotter_ = std::make_unique<Snapshotter>(engine, *journal_, *log_, snapshots_, limits, io, logger_);
  for (const std::uint64_t batch : damaged_snapshots_) snapshots_.set_aside(batch);
  // All of it was read from the disk and is right, and a sync has succeeded since.
  if (log_->suspect()) log_->clear_suspect();
}

Recovered KeptJournal::replay(Engine& engine, const OnRecovery& on_recovery) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point began = Clock::now();
  Clock::time_point told = began;
  if (log_->tail().index != 0) on_recovery(0);
  const RecordVisitor visit = [&](const Record&, const Recovered& so_far) {
    if (so_far.index % inputs_between_looks != 0 || Clock::now() - told < std::chrono::seconds(1)) return;
    told = Clock::now();
    const std::uint64_t all = so_far.inputs + log_->tail().index - so_far.index;
    const auto percent = static_cast<unsigned>(so_far.inputs * 100 / all);
    logger_.info("journal {}: recovering, {} % of {} inputs", folder_, percent, all);
    on_recovery(percent);
  };
  Recovered recovered = snapshots_.recover_newest(
      *log_, log_->store(), engine, visit, [&](std::uint64_t batch, const std::string& why) {
        logger_.error("journal {}: a snapshot is not used: {}", folder_, why);
        damaged_snapshots_.push_back(batch);
      });
  recovered.took_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count());
  recovered.may_lack_its_end = log_->has_lost_its_end();
  if (recovered.may_lack_its_end)
    logger_.warn("journal {}: its end is missing; going on without it after input {}", folder_,
                 recovered.index);
  if (recovered.start != 0)
    logger_.info("journal {}: recovered {} inputs in {} ms; the last start {}", folder_, recovered.inputs,
                 recovered.took_ms, recovered.stopped_in_order ? "was stopped in order" : "ended in a crash");
  return recovered;
}

void KeptJournal::stop(std::chrono::milliseconds limit) {
  if (journal_ == nullptr || std::exchange(stopped_, true)) return;
  snapshotter_->write_last(limit);
  if (journal_->stop(limit)) snapshotter_->trim();
  else logger_.error("journal {}: what was not acknowledged could not be kept: {}", folder_, log_->failure());
}

/// What the engine has done since the last commit is nowhere else, and nobody was told of it. So nothing of it may be told
/// any more.
void KeptJournal::fail(const std::string& why) {
  logger_.error("journal {}: {}. This process ends; what it has acknowledged is in the journal", folder_,
                why);
  logger_.flush();
  ::_exit(journal_failed_status);
}

}  // namespace tandem::server
