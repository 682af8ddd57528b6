// How long the lock of a killed process is nobody's: from the SIGKILL of its holder until the process that waits for it
// has it. Not a rate but a time, of which the longest matters as much as the median.
//
//   bench_handover --address A --authkey-file F --object NAME --rounds N
//
// prints {"rounds": N, "median_ms": …, "max_ms": …}. Each round has a holder and a waiter of its own.

#include "load.hpp"
#include "tandem/tandem.hpp"

namespace {

// One word from a process to this one.
class Word {
 public:
  Word() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    read_ = bench::Fd(ends[0]);
    write_ = bench::Fd(ends[1]);
  }
  void send(std::int64_t number) {
    if (::write(write_.get(), &number, sizeof number) != sizeof number)
      throw std::runtime_error("nobody listens");
  }
  std::int64_t receive() {
    write_.close();
    std::int64_t number = 0;
    if (::read(read_.get(), &number, sizeof number) != sizeof number)
      throw std::runtime_error("a process ended without a word");
    return number;
  }

 private:
  bench::Fd read_, write_;
};

double one_round_ms(const tandem::Lock& lock) {
  Word holds, waits, has;
  tandem::Process holder([&] {
    lock.lock();
    holds.send(1);
    ::pause();
  });
  holds.receive();
  tandem::Process waiter([&] {
    lock.locked();  // its session is there, the next request is the one that waits
    waits.send(1);
    const auto held = lock.guard();
    has.send(bench::now_ns());
    if (!held.previous_owner_died()) throw std::runtime_error("the lock was not a dead owner's");
  });
  waits.receive();
  ::usleep(3000);  // it is in the line by now; if not, the figure is too high, not too low
  const std::int64_t begin = bench::now_ns();
  holder.kill();
  const std::int64_t end = has.receive();
  holder.join();
  waiter.join();
  if (waiter.exit_code() != 0) throw std::runtime_error("the waiter failed");
  return static_cast<double>(end - begin) / 1e6;
}

}  // namespace

int main(int argc, char** argv) try {
  std::map<std::string, std::string> flags;
  for (int i = 1; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  const tandem::Manager manager(flags.at("--address"), {.authkey_file = flags.at("--authkey-file")});
  const tandem::Lock lock = manager.lock(flags.at("--object"));
  std::vector<double> times_ms(std::stoul(flags.at("--rounds")));
  for (double& time_ms : times_ms) time_ms = one_round_ms(lock);
  manager.remove(flags.at("--object"));
  std::sort(times_ms.begin(), times_ms.end());
  std::printf("{\"rounds\": %zu, \"median_ms\": %.3f, \"max_ms\": %.3f}\n", times_ms.size(),
              times_ms.at(times_ms.size() / 2), times_ms.back());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
  return 1;
}
