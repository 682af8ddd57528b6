// What operations take over a channel: with many clients, idle or active, and with values of any size. And bench_scale's
// command line.

#include <sys/resource.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "scale.hpp"
#include "tandem/tandem.hpp"

namespace bench {
namespace {

constexpr std::string_view system_name = "tandem";
constexpr std::size_t samples_per_point = 5'000;

std::string name_of(std::string_view what) {
  return "bench-scale-" + std::string(what);
}

tandem::Manager connect(const ScaleOptions& options) {
  return tandem::Manager(options.address, {.authkey_file = options.authkey_file});
}

/// A named object of this run's own, which goes with it.
class Counters {
 public:
  Counters(const ScaleOptions& options, std::string_view what)
      : manager_(connect(options)),
        name_(name_of(what)),
        dict_(manager_.dict<std::int64_t, std::int64_t>(name_)) {
    for (std::int64_t i = 0; i < keys; ++i) dict_.insert_or_assign(i, i);
  }
  ~Counters() { manager_.remove(name_); }
  static constexpr std::int64_t keys = 1'000;
  const std::string& name() const { return name_; }
  tandem::Dict<std::int64_t, std::int64_t>& dict() { return dict_; }

 private:
  tandem::Manager manager_;
  std::string name_;
  tandem::Dict<std::int64_t, std::int64_t> dict_;
};

void measure_idle_clients(const ScaleOptions& options) {
  Counters counters(options, "idle");
  std::vector<tandem::Manager> idle;
  for (std::uint64_t clients = 1; clients <= options.at_most(1'000, 100); clients *= 10) {
    while (idle.size() + 1 < clients) {
      idle.push_back(connect(options));
      idle.back().exists(counters.name());
    }
    Samples gets;
    for (std::size_t i = 0; i < samples_per_point; ++i)
      gets.time([&] { counters.dict().at(static_cast<std::int64_t>(i) % Counters::keys); });
    print_point("dict_get_by_idle_clients", system_name, "clients", clients, gets);
  }
}

/// Threads, each of which has a channel of its own.
void measure_active_clients(const ScaleOptions& options) {
  Counters counters(options, "active");
  for (std::uint64_t clients = 1; clients <= options.at_most(1'000, 100); clients *= 10) {
    const std::size_t each = std::max<std::size_t>(10, samples_per_point * 4 / clients);
    std::vector<Samples> samples(clients);
    std::vector<std::thread> threads;
    std::atomic<std::uint64_t> ready = 0;
    std::atomic<bool> go = false;
    for (std::uint64_t n = 0; n < clients; ++n)
      threads.emplace_back([&, n] {
        auto key = static_cast<std::int64_t>(n) % Counters::keys;
        counters.dict().at(key);
        ready.fetch_add(1);
        go.wait(false);
        for (std::size_t i = 0; i < each; ++i) samples[n].time([&] { counters.dict().at(key); });
      });
    while (ready.load() != clients) std::this_thread::yield();
    const std::int64_t begin = scale_now_ns();
    go.store(true);
    go.notify_all();
    for (std::thread& thread : threads) thread.join();
    const double seconds = static_cast<double>(scale_now_ns() - begin) / 1e9;
    Samples all;
    for (const Samples& one : samples) all.add(one);
    print_point("dict_get_by_active_clients", system_name, "clients", clients, all,
                static_cast<double>(all.count()) / seconds);
  }
}

void measure_value_sizes(const ScaleOptions& options) {
  tandem::Manager manager = connect(options);
  const std::string name = name_of("values");
  auto dict = manager.dict<std::string, std::vector<std::byte>>(name);
  for (std::uint64_t bytes = 8; bytes <= options.at_most(std::uint64_t{64} << 20, std::uint64_t{1} << 20);
       bytes *= 8) {
    const std::vector<std::byte> value(bytes, std::byte{7});
    const std::size_t rounds = std::clamp<std::size_t>((std::size_t{512} << 20) / bytes, 8, 2'000);
    Samples puts, gets;
    for (std::size_t i = 0; i < rounds; ++i) puts.time([&] { dict.insert_or_assign("value", value); });
    for (std::size_t i = 0; i < rounds; ++i)
      gets.time([&] {
        if (dict.at("value").size() != bytes) throw std::runtime_error("at() returned another value");
      });
    print_point("put_by_value_bytes", system_name, "bytes", bytes, puts, 0, bytes);
    print_point("get_by_value_bytes", system_name, "bytes", bytes, gets, 0, bytes);
  }
  manager.remove(name);
}

}  // namespace

namespace {

std::int64_t read_ns(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

std::int64_t scale_now_ns() {
  return read_ns(CLOCK_MONOTONIC);
}
std::int64_t scale_used_ns() {
  return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void measure_channels(const ScaleOptions& options) {
  rlimit files;
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {  // a thousand clients in one process
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  measure_idle_clients(options);
  measure_active_clients(options);
  measure_value_sizes(options);
}

ScaleOptions parse_scale_options(int argc, char** argv) {
  ScaleOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    std::string* into = flag == "--address"        ? &options.address
                        : flag == "--authkey-file" ? &options.authkey_file
                        : flag == "--redis"        ? &options.redis
                                                   : nullptr;
    if (into != nullptr && i + 1 < argc) *into = argv[++i];
    else if (flag == "--quick") options.quick = true;
    else options.address.clear(), i = argc;
  }
  if (!options.address.empty()) return options;
  std::fprintf(stderr, "usage: bench_scale --address A [--authkey-file F] [--redis PATH] [--quick]\n");
  std::exit(2);
}

}  // namespace bench
