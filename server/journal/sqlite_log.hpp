#pragma once
// The log in a folder of this machine, with SQLite: generations one after the other (generation.hpp), and a
// witness of how far they were synced (witness.hpp). store_folder.hpp has the layout.
//
// A forked child must not use its parent's log.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/journal/generation.hpp"
#include "server/journal/log.hpp"
#include "server/journal/store_folder.hpp"
#include "server/journal/witness.hpp"

namespace tandem::server {

class SqliteLog final : public Log {
 public:
  enum class Mode : std::uint8_t {
    use,   // the folder and the log are created if they do not exist
    look,  // for tools: nothing is created or changed, and damage is reported by read() only
  };
  static constexpr const char* default_vfs = "unix";
  struct Options {
    /// Opens a log that has lost its end, or its witness. The witness is set back to what is left.
    bool accept_loss = false;
    /// The witness is written after a sync, but not more often than this, and when the log is closed.
    std::chrono::milliseconds witness_interval{10};
    /// Bytes that a file has ahead of what it contains, so that syncs take less time.
    std::uint64_t room_ahead_bytes = std::uint64_t{4} << 20;
    /// SQLite's interface to the file system: not its default, which an embedding program may have replaced.
    const char* vfs = default_vfs;
  };

  /// Throws JournalError if the folder is in use, is not for this user alone, or an operation fails; with
  /// Mode::use, JournalDamaged too. Only the end of the log is read: read() finds damage before it.
  static std::unique_ptr<SqliteLog> open(const std::string& folder, Mode mode, const Options& options);
  static std::unique_ptr<SqliteLog> open(const std::string& folder, Mode mode) {
    return open(folder, mode, Options());
  }
  ~SqliteLog() override;

  AppendStatus append(const Batch& batch, bool sync) override;
  std::optional<SyncApart> begin_sync() override;
  void end_sync(const SyncApart& sync, bool succeeded) override;
  const std::string& failure() const override { return failure_; }
  void read(std::uint64_t from, const std::function<bool(const Batch&)>& sink) override;
  /// With Mode::look, the end of what can be read.
  LogPosition tail() const override { return tail_; }
  LogPosition position_before(std::uint64_t batch) override;
  std::uint64_t first_batch() const override;
  AppendStatus rotate() override;
  bool trim_one(std::uint64_t before) override;
  std::uint64_t bytes() const override;
  std::uint64_t free_bytes() const override;

  /// It is the same for the life of the log; zeros if Mode::look cannot read it.
  const StoreId& store() const { return store_; }
  /// Whether its end was missing when it was opened, and that was accepted.
  bool has_lost_its_end() const { return has_lost_its_end_; }

  /// Whether an I/O error ended the last use. The kernel may then have had in memory what is not on the disk. It
  /// was asked to drop that before the log was opened, so what is read should be what the disk has.
  bool suspect() const { return is_suspect_; }
  /// To be called when everything was written anew, and synced.
  void clear_suspect();

  /// For tools: removes that batch and all behind it, damaged or not, and sets the witness back to what is
  /// left. All this is durable on return.
  void cut(std::uint64_t batch);

 private:
  using Clock = std::chrono::steady_clock;
  struct File {
    std::uint64_t first_index;
    std::string path;
    std::optional<Generation::Origin> origin;  // none: it is damaged
  };

  SqliteLog(const std::string& folder, Mode mode, const Options& options);

  // ---- opening ----------------------------------------------------------------------------------------------
  void create();
  void load();
  void load_files();
  void load_tail();
  void use(const File& file);
  void load_witness();
  bool knows_store() const { return store_ != StoreId{}; }
  Generation::Origin origin_of(const File& file) const;
  void check_witness() const;
  void compare_with_witness(const LogPosition& position) const;
  template <class F>
  void report_or_tolerate(const F& f) const;
  [[noreturn]] void report_loss(const LogPosition& end) const;
  [[noreturn]] void report_no_files() const;

  // ---- appending --------------------------------------------------------------------------------------------
  AppendStatus failed(const StorageError& error, bool is_undone);
  AppendStatus broken(const std::string& why);
  void note_synced(const LogPosition& position);
  void write_witness();
  void sync_before_rotation();
  template <class F>
  void break_if_it_fails(const F& f);

  // ---- reading ----------------------------------------------------------------------------------------------
  std::size_t file_with(std::uint64_t batch) const;
  void read_files(std::uint64_t from, const std::function<bool(const Batch&)>& sink);
  LogPosition read_file(const File& file, const std::optional<LogPosition>& end, std::uint64_t from,
                        const Generation::Sink& sink);
  void check_end(const std::optional<LogPosition>& end);
  void cut_behind(const File& kept, std::uint64_t batch);

  const Mode mode_;
  const Options options_;
  StoreFolder folder_;
  StoreId store_{};
  std::vector<File> files_;              // in order; the last is in use
  std::unique_ptr<Generation> current_;  // the last one's; with Mode::look none
  std::optional<Witness> witness_;
  LogPosition tail_;
  bool is_suspect_ = false;
  bool has_lost_its_end_ = false;

  std::string failure_;
  bool is_broken_ = false;
  bool is_unsynced_ = true;            // what was found may be unsynced too
  std::optional<LogPosition> synced_;  // what the witness does not have yet
  Clock::time_point witness_written_;
};

}  // namespace tandem::server
