// What happens to memory and to single operations as the work grows.
//
//   bench_scale --address A --authkey-file F [--redis PATH] [--quick]
//
// prints one JSON object per line, each a row of suite.py's. Of the systems,
//
//   tandem-engine   is the engine alone, in this process, one step after the other: what an operation costs the server
//   tandem          is the manager at the address, with a channel between
//   redis-unix      is the Redis at the path; it tells its memory itself (MEMORY USAGE, all samples)
//
// Memory of tandem is what the process has allocated more than before, by the allocator's own count. `max_us` is the
// longest of all operations. Those that are called growing and going are timed by what the thread used of a CPU: neither
// growth nor removal is to hold up anybody, whatever else the machine does.

#include <malloc.h>

#include "scale.hpp"

int main(int argc, char** argv) {
  const bench::ScaleOptions options = bench::parse_scale_options(argc, argv);
#ifdef __GLIBC__
  ::mallopt(M_MXFAST, 0);  // as tandemd does
#endif
  try {
    bench::measure_memory(options);
    bench::measure_pauses(options);
    bench::measure_growth(options);
    bench::measure_channels(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_scale: %s\n", error.what());
    return 1;
  }
  return 0;
}
