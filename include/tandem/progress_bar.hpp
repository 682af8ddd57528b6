#pragma once
// progress_bar(): shows the progress of a pool's tasks on a terminal until they are done.
//
//   auto squares = pool.map_async(square, numbers);
//   tandem::progress_bar(squares);                  [############------------]  50%  500/1000  ETA 0:03
//   tandem::progress_bar(pool, std::cout);          all tasks of the pool now

#include <chrono>
#include <cstddef>
#include <functional>
#include <iosfwd>
#include <iostream>
#include <string>

#include "tandem/async_result.hpp"
#include "tandem/pool.hpp"

namespace tandem {

struct ProgressBarOptions {
  std::size_t width = 30;  // of the bar, in characters
  std::chrono::milliseconds interval{100};
  // Output if the stream is no terminal: false: none; true: a line for each tenth.
  bool plain_lines = false;
};

namespace client {

struct Progressed {
  std::size_t calls = 0;
  std::size_t finished = 0;
  std::size_t failed = 0;
};

/// Returns "[###---]  50%  1/2  ETA 0:03"; once all is finished, the elapsed time instead of the ETA.
std::string progress_line(const Progressed& progressed, std::chrono::milliseconds elapsed, std::size_t width);
/// Calls `look` repeatedly until all is finished; between calls `wait` waits, at most for the given time.
void show_progress(const std::function<Progressed()>& look,
                   const std::function<void(std::chrono::milliseconds)>& wait, std::ostream& stream,
                   const ProgressBarOptions& options);

}  // namespace client

/// Returns when the result is ready; does not throw what get() would throw. For streams other than cout, cerr
/// and clog, or if these are no terminal, see ProgressBarOptions.
template <class R>
void progress_bar(const AsyncResult<R>& result, std::ostream& stream = std::cerr,
                  const ProgressBarOptions& options = {}) {
  client::show_progress(
      [&] {
        return client::Progressed{result.calls(), result.finished_calls(), 0};
      },
      [&](std::chrono::milliseconds limit) { result.wait_for(limit); }, stream, options);
  result.wait();
}

/// Returns when no task waits or runs any more. Counts from the moment of the call, including tasks that
/// waited or ran then. Throws as Pool::progress().
void progress_bar(const Pool& pool, std::ostream& stream = std::cerr, const ProgressBarOptions& options = {});

}  // namespace tandem
