#include "tandem/progress_bar.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <ostream>
#include <thread>

namespace tandem {
namespace client {
namespace {

bool is_terminal(const std::ostream& stream) {
  const std::streambuf* buffer = stream.rdbuf();
  if (buffer == std::cout.rdbuf()) return isatty(STDOUT_FILENO) != 0;
  if (buffer == std::cerr.rdbuf() || buffer == std::clog.rdbuf()) return isatty(STDERR_FILENO) != 0;
  return false;
}

std::string minutes(std::chrono::milliseconds time) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).count();
  char text[48];
  if (seconds < 3600) std::snprintf(text, sizeof text, "%lld:%02lld", seconds / 60LL, seconds % 60LL);
  else
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", seconds / 3600LL, seconds / 60 % 60LL,
                  seconds % 60LL);
  return text;
}

/// A line of a terminal that is rewritten in place.
class Line {
 public:
  explicit Line(std::ostream& stream) : stream_(stream) {}
  ~Line() {
    if (begun_) stream_ << '\n' << std::flush;
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  void show(const std::string& text) {
    stream_ << '\r' << text << "\x1b[K" << std::flush;
    begun_ = true;
  }

 private:
  std::ostream& stream_;
  bool begun_ = false;
};

}  // namespace

std::string progress_line(const Progressed& progressed, std::chrono::milliseconds elapsed,
                          std::size_t width) {
  const std::size_t calls = std::max<std::size_t>(progressed.calls, 1);
  const std::size_t finished = progressed.calls == 0 ? 1 : std::min(progressed.finished, progressed.calls);
  const std::size_t full = width * finished / calls;
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3zu%%", 100 * finished / calls);
  std::string line = "[" + std::string(full, '#') + std::string(width - full, '-') + "] " + percent + "  " +
                     std::to_string(progressed.finished) + "/" + std::to_string(progressed.calls);
  if (progressed.failed != 0) line += "  " + std::to_string(progressed.failed) + " failed";
  if (finished == calls) return line + "  in " + minutes(elapsed);
  if (finished == 0) return line;
  const double left = static_cast<double>(elapsed.count()) / static_cast<double>(finished) *
                      static_cast<double>(calls - finished);
  return line + "  ETA " + minutes(std::chrono::milliseconds(static_cast<std::int64_t>(left)));
}

void show_progress(const std::function<Progressed()>& look,
                   const std::function<void(std::chrono::milliseconds)>& wait, std::ostream& stream,
                   const ProgressBarOptions& options) {
  const bool terminal = is_terminal(stream);
  const auto begin = std::chrono::steady_clock::now();
  std::optional<Line> bar;
  if (terminal) bar.emplace(stream);
  std::size_t tenths = 0;
  for (;;) {
    const Progressed now = look();
    const bool finished = now.finished >= now.calls;
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    if (bar) bar->show(progress_line(now, elapsed, options.width));
    const std::size_t reached = finished ? 10 : 10 * now.finished / now.calls;
    if (!terminal && options.plain_lines && reached > tenths) {
      tenths = reached;
      stream << progress_line(now, elapsed, options.width) << std::endl;
    }
    if (finished) return;
    wait(options.interval);
  }
}

}  // namespace client

void progress_bar(const Pool& pool, std::ostream& stream, const ProgressBarOptions& options) {
  const PoolProgress first = pool.progress();
  auto look = [&] {
    const PoolProgress now = pool.progress();
    const auto failed = static_cast<std::size_t>(now.failed - first.failed);
    const auto finished = static_cast<std::size_t>(now.done - first.done) + failed;
    return client::Progressed{finished + static_cast<std::size_t>(now.queued + now.running), finished,
                              failed};
  };
  client::show_progress(
      look, [](std::chrono::milliseconds limit) { std::this_thread::sleep_for(limit); }, stream, options);
}

}  // namespace tandem
