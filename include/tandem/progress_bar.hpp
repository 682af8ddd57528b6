#pragma once
// progress_bar(): shows on a terminal how far a pool's tasks are, until they are done.
//
//   auto squares = pool.map_async(square, numbers);
//   tandem::progress_bar(squares);                  [############------------]  50%  500/1000  ETA 0:03
//   tandem::progress_bar(pool, std::cout);          all that the pool has to do now

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
  // What is shown where the stream is no terminal: nothing, or a line for each tenth.
  bool plain_lines = false;
};

namespace client {

struct Progressed {
  std::size_t calls = 0;
  std::size_t finished = 0;
  std::size_t failed = 0;
};

/// "[###---]  50%  1/2  ETA 0:03"; behind its end how long it took.
std::string progress_line(const Progressed& progressed, std::chrono::milliseconds elapsed, std::size_t width);
/// Looks again and again, until all is finished. `wait` waits at most so long for that.
void show_progress(const std::function<Progressed()>& look,
                   const std::function<void(std::chrono::milliseconds)>& wait, std::ostream& stream,
                   const ProgressBarOptions& options);

}  // namespace client

/// Returns when the result is there; it throws nothing that get() would throw. Where the stream is neither cout, cerr nor
/// clog, or that is no terminal, see ProgressBarOptions.
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

/// Returns when nothing waits or runs any more. It counts from the moment it is called, those that run then included.
/// Throws as Pool::progress().
void progress_bar(const Pool& pool, std::ostream& stream = std::cerr, const ProgressBarOptions& options = {});

}  // namespace tandem
