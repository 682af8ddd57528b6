#pragma once
// The journal of a Server: opened, replayed into its engine, and running.

#include <asio/io_context.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/journal/journal.hpp"
#include "server/journal/sqlite_log.hpp"
#include "server/snapshotter.hpp"
#include "tandem/server_options.hpp"

namespace spdlog {
class logger;
}

namespace tandem::server {

/// A journal that cannot be written any more ends the process with this status.
inline constexpr int journal_failed_status = 74;

class KeptJournal {
 public:
  /// Opens the folder that `options` name. Throws JournalError, JournalDamaged; ValueError if a hosted type cannot be
  /// saved.
  KeptJournal(const ServerOptions& options, spdlog::logger& log);
  KeptJournal(const KeptJournal&) = delete;
  KeptJournal& operator=(const KeptJournal&) = delete;

  /// The same at every start.
  const StoreId& store() const { return log_->store(); }
  /// Called while a start recovers: before it begins, and then about once a second.
  using OnRecovery = std::function<void(unsigned percent)>;
  /// Brings the engine into the state that was kept, and records the start. Throws JournalError, JournalDamaged.
  void start(Engine& engine, const ServerInfo& info, const Limits& limits, const ServerOptions& options,
             asio::io_context& io, const OnRecovery& on_recovery);
  Journal& journal() { return *journal_; }
  /// Called on the thread of `io` when more inputs are safe.
  std::function<void()> on_progress;
  /// Waits until everything is safe, at most for `limit` if there is no room for it. Only the first call does something.
  void stop(std::chrono::milliseconds limit);
  /// Makes a snapshot if it is time. To be called on the engine's thread, between inputs.
  void consider_snapshot() { snapshotter_->consider(); }

 private:
  Recovered replay(Engine& engine, const OnRecovery& on_recovery);
  void fail(const std::string& why);

  spdlog::logger& logger_;
  const std::string folder_;
  const std::unique_ptr<SqliteLog> log_;
  std::atomic<bool> progress_is_posted_{false};
  bool stopped_ = false;
  const Snapshots snapshots_;
  std::vector<std::uint64_t> damaged_snapshots_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Snapshotter> snapshotter_;
};

}  // namespace tandem::server
