#include "server/logging.hpp"

#include <poll.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "client/common/printable.hpp"
#include "client/os/signals.hpp"

namespace tandem::server {
namespace {

using Function = std::function<void(LogLevel, std::string_view)>;

// How long the end of a manager, or flush(), waits for a standard error that takes nothing. A private manager has to end
// within a second of its creator.
constexpr std::chrono::milliseconds close_ms_max{100};
// What a line in the queue costs besides its text.
constexpr std::size_t line_overhead_bytes = 64;
constexpr const char* pattern = "%Y-%m-%dT%H:%M:%S.%e%z %l %v";

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::off: return spdlog::level::off;
  }
  return spdlog::level::off;
}

LogLevel from_spdlog(spdlog::level::level_enum level) {
  if (level <= spdlog::level::debug) return LogLevel::debug;
  if (level == spdlog::level::info) return LogLevel::info;
  return level == spdlog::level::warn ? LogLevel::warning : LogLevel::error;
}

struct Line {
  spdlog::log_clock::time_point time;
  spdlog::level::level_enum level = spdlog::level::warn;
  std::string text;
};

using Write = std::function<void(const Line&)>;

Line dropped_line(std::uint64_t count) {
  return {spdlog::log_clock::now(), spdlog::level::warn,
          "log lines dropped here, since they were not taken as fast as they came: " + std::to_string(count)};
}

/// The lines between the threads that log and the one that writes. Pushing never waits for the writer. A full
/// queue drops lines until it is half empty.
class LineQueue {
 public:
  void push(Line line) {
    std::lock_guard lock(mutex_);
    const std::size_t bytes_max = dropped_ == 0 ? log_queue_bytes_max : log_queue_bytes_max / 2;
    if (bytes_ + cost(line) > bytes_max) {
      ++dropped_;
      return;
    }
    report_dropped();
    add(std::move(line));
    pushed_.notify_one();
  }
  void drop() {
    std::lock_guard lock(mutex_);
    ++dropped_;
  }

  /// Waits for the next line; nullopt once the queue is closed and empty.
  std::optional<Line> pop() {
    std::unique_lock lock(mutex_);
    if (lines_.empty()) report_dropped();  // the half-empty queue may see no further line
    writer_waits_ = lines_.empty();
    if (writer_waits_) writer_progressed_.notify_all();
    pushed_.wait(lock, [this] { return !lines_.empty() || closed_; });
    if (lines_.empty()) return std::nullopt;
    writer_waits_ = false;
    Line line = std::move(lines_.front());
    lines_.pop_front();
    bytes_ -= cost(line);
    return line;
  }

  void close() {
    std::lock_guard lock(mutex_);
    report_dropped();
    closed_ = true;
    pushed_.notify_one();
  }
  /// Drops what is left.
  void abandon() {
    std::lock_guard lock(mutex_);
    lines_.clear();
    bytes_ = 0;
  }

  void finish() {
    std::lock_guard lock(mutex_);
    finished_ = true;
    writer_progressed_.notify_all();
  }
  /// Waits until all lines were written.
  void wait_until_written(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    writer_progressed_.wait_for(lock, limit, [this] { return lines_.empty() && writer_waits_; });
  }
  /// Returns whether the writer has finished.
  bool wait_until_finished(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return writer_progressed_.wait_for(lock, limit, [this] { return finished_; });
  }

 private:
  static std::size_t cost(const Line& line) { return line.text.size() + line_overhead_bytes; }
  void add(Line line) {
    bytes_ += cost(line);
    lines_.push_back(std::move(line));
  }
  /// The line about dropped ones follows those that were queued when they were dropped.
  void report_dropped() {
    if (dropped_ != 0) add(dropped_line(std::exchange(dropped_, 0)));
  }

  std::mutex mutex_;
  std::condition_variable pushed_;
  std::condition_variable writer_progressed_;
  std::deque<Line> lines_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
  bool closed_ = false;
  bool finished_ = false;
  bool writer_waits_ = true;  // for a line, and has written those before
};

/// Writes directly to the descriptor: a writer that is blocked must not hold a lock of <cstdio>, for which
/// exit() would wait.
void write_to_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(STDERR_FILENO, text.data(), text.size());
    if (count > 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (count < 0 && errno == EAGAIN) {
      pollfd room{STDERR_FILENO, POLLOUT, 0};
      ::poll(&room, 1, -1);
    } else if (count == 0 || errno != EINTR) {
      return;
    }
  }
}

Write standard_error() {
  auto formatter = std::make_shared<spdlog::pattern_formatter>(pattern);
  return [formatter](const Line& line) {
    spdlog::memory_buf_t text;
    formatter->format({line.time, {}, {}, line.level, line.text}, text);
    write_to_stderr({text.data(), text.size()});
  };
}

/// Owns the writing thread. `may_be_left`: at the end the thread may stay blocked in `write`, which refers to
/// nothing that is destroyed.
class LogWriter {
 public:
  LogWriter(Write write, bool may_be_left)
      : write_(std::make_shared<const Write>(std::move(write))), may_be_left_(may_be_left) {}
  ~LogWriter() {
    if (!thread_.joinable()) return;
    queue_->close();
    if (may_be_left_ && !queue_->wait_until_finished(close_ms_max)) {
      queue_->abandon();
      thread_.detach();
    } else {
      thread_.join();
    }
  }
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// Called under the lock of the sink.
  void push(Line line) {
    if (!thread_.joinable() && !start()) return queue_->drop();
    queue_->push(std::move(line));
  }
  void flush() {
    if (thread_.joinable()) queue_->wait_until_written(close_ms_max);
  }

 private:
  static void write_or_drop(const Write& write, const Line& line) {
    try {
      write(line);
    } catch (...) {  // a function of the embedding program; there is nowhere to report it
    }
  }
  bool start() {
    try {
      thread_ = os::thread_without_signals([queue = queue_, write = write_] {
        while (std::optional<Line> line = queue->pop()) write_or_drop(*write, *line);
        queue->finish();
      });
      return true;
    } catch (const std::system_error&) {  // no threads available for now
      return false;
    }
  }

  // Shared with the thread, which may be left behind.
  const std::shared_ptr<LineQueue> queue_ = std::make_shared<LineQueue>();
  const std::shared_ptr<const Write> write_;
  const bool may_be_left_;
  std::thread thread_;
};

class QueueSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  QueueSink(Write write, bool may_be_left) : writer_(std::move(write), may_be_left) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    std::string safe = client::printable(text.substr(0, log_line_bytes_max));
    if (text.size() > log_line_bytes_max) safe += "…";
    writer_.push({message.time, message.level, std::move(safe)});
  }
  void flush_() override { writer_.flush(); }

  LogWriter writer_;
};

}  // namespace

std::unique_ptr<spdlog::logger> make_logger(LogLevel level, Function log) {
  spdlog::sink_ptr sink;
  if (log) {
    auto call = [log = std::move(log)](const Line& line) { log(from_spdlog(line.level), line.text); };
    sink = std::make_shared<QueueSink>(std::move(call), false);
  } else {
    sink = std::make_shared<QueueSink>(standard_error(), true);
  }
  auto logger = std::make_unique<spdlog::logger>("tandem", std::move(sink));
  logger->set_level(to_spdlog(level));
  return logger;
}

}  // namespace tandem::server
