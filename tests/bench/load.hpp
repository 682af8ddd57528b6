#pragma once
// The load generator shared by the C++ clients: one cell = one workload on one system with N client processes.
//
// Parent and clients pass the same stations. They speak over one socket pair per client, in 64-bit integers; the
// start gate is a pipe that everyone reads and that opens for all at once when the parent closes its end.
//
//   client                                     parent
//   connects, fills its share of the keys
//   ready                              ->      waits for all
//                                      <-      length of the warm-up, ns
//   operations for that long
//   how many it did                    ->      waits for all
//     or, where two clients work together and each needs the other to go on:
//                                      <-      a number of operations
//   does as many; done                 ->      waits for both; twice as many next time, and 0 when it was long enough
//                                              derives a count from the common rate
//                                      <-      count
//   allocates its samples
//   ready                              ->      waits for all; START; opens the gate
//   count operations, each one timed
//   when it ended                      ->      waits for all; END is the latest
//                                      <-      go on
//   its samples                        ->      percentiles over the samples of all
//
// cpython_load.py passes the same stations in the same order; what changes here changes there.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

constexpr int key_count = 1000;
constexpr std::size_t value_bytes = 64;
constexpr std::size_t large_bytes = std::size_t{1} << 20;
constexpr int large_count = 10;  // keys of large values, so that they need not fit into a cache
constexpr std::size_t huge_bytes = std::size_t{16} << 20;
constexpr int huge_count = 2;  // keys of huge values
constexpr int permits = 2;     // of the semaphore
constexpr int tasks = 10'000;  // of one pool_map

// Memory that the processes of one cell have in common. What guards it is what is measured: it is read and written by
// plain loads and stores, so that the count is short if two owned a lock at once.
struct Shared {
  std::atomic<std::int64_t> count{0};  // operations done
  std::atomic<std::int64_t> turn{0};   // the client whose turn it is

  void add(std::int64_t operations) {
    count.store(count.load(std::memory_order_relaxed) + operations, std::memory_order_relaxed);
  }
};

struct Cell {
  std::string address;       // unix: a path or what the system's client library takes
  std::string authkey_file;  // only for systems that ask for one
  std::string workload;
  std::string
      object;  // name of the shared object; fresh for every cell, so that nothing grows from cell to cell
  int clients = 1;
  double seconds = 1.0;
  double warm_up_seconds = 0.2;
  int index = -1;  // of the client, -1 in the parent
  Shared* shared = nullptr;
};

// What a cell must have left behind on the server when it is over: proof that the operations were really done.
enum class Leaves { keys, operations, nothing };

// A Client has a constructor taking the Cell, remove(), a static workloads() that gives them, and the members named
// in there.
template <class Client>
struct Workload {
  std::string_view name;
  void (Client::*operation)(const std::string& key);
  void (Client::*fill)(const std::string& key);  // null: the workload starts from nothing
  std::int64_t (Client::*count_left)();
  Leaves leaves;
  bool is_paired = false;  // two clients do one operation together
  int batch = 1;           // how many operations one call is
};

template <class Client>
constexpr std::array<Workload<Client>, 9> object_workloads = {{
    {"dict_set", &Client::dict_set, &Client::dict_set, &Client::dict_size, Leaves::keys},
    {"dict_get", &Client::dict_get, &Client::dict_set, &Client::dict_size, Leaves::keys},
    {"list_push_back", &Client::list_push_back, nullptr, &Client::list_size, Leaves::operations},
    {"counter_add", &Client::counter_add, &Client::counter_zero, &Client::counter_sum, Leaves::operations},
    {"create_drop", &Client::create_drop, nullptr, &Client::objects_left, Leaves::nothing},
    {"large_put", &Client::large_put, &Client::large_fill, &Client::large_missing, Leaves::nothing},
    {"large_get", &Client::large_get, &Client::large_fill, &Client::large_missing, Leaves::nothing},
    {"huge_put", &Client::huge_put, &Client::huge_fill, &Client::huge_missing, Leaves::nothing},
    {"huge_get", &Client::huge_get, &Client::huge_fill, &Client::huge_missing, Leaves::nothing},
}};

// The same where each call is a burst: so many requests, sent without waiting, and then all their replies. One after the
// other, bursts keep so many requests under way.
constexpr int pipeline_depth = 16;
template <class Client>
constexpr std::array<Workload<Client>, 2> pipelined_workloads = {{
    {"dict_set_pipelined", &Client::dict_set_pipelined, &Client::dict_set, &Client::dict_size, Leaves::keys,
     false, pipeline_depth},
    {"dict_get_pipelined", &Client::dict_get_pipelined, &Client::dict_set, &Client::dict_size, Leaves::keys,
     false, pipeline_depth},
}};

inline std::int64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

inline std::vector<std::string> make_keys() {
  std::vector<std::string> keys;
  for (int i = 0; i < key_count; ++i) {
    char text[16];
    std::snprintf(text, sizeof text, "key:%06d", i);
    keys.emplace_back(text);
  }
  return keys;
}

// The keys of one burst, from this one on.
class BurstKeys {
 public:
  template <class F>
  void for_each_from(const std::string& key, F&& use) const {
    std::size_t at = std::stoul(key.substr(key.find(':') + 1));
    for (int i = 0; i < pipeline_depth; ++i) {
      use(keys_[at]);
      if (++at == keys_.size()) at = 0;
    }
  }

 private:
  const std::vector<std::string> keys_ = make_keys();
};

// One of the keys of large values: the keys' last digits.
inline std::string large_key(const std::string& key) {
  return key.substr(key.size() - 1);
}
inline bool is_first_of_its_large_key(const std::string& key) {
  return key < "key:000010";
}
// The same for huge values: whether the last digit is odd.
inline std::string huge_key(const std::string& key) {
  return std::string(1, static_cast<char>('0' + key.back() % huge_count));
}
inline bool is_first_of_its_huge_key(const std::string& key) {
  return key < "key:000002";
}

// One call each millisecond, as of a worker that has other things to do: what counts is the processor time that it costs.
constexpr std::int64_t pace_ns = 1'000'000;
template <class Client>
class Paced : public Client {
 public:
  static std::array<Workload<Paced>, 1> workloads() {
    return {{{"dict_get_paced", &Paced::dict_get_paced, &Paced::dict_set, &Paced::dict_size, Leaves::keys}}};
  }

  using Client::Client;

  void dict_get_paced(const std::string& key) {
    next_ns_ = std::max(next_ns_ + pace_ns, now_ns());
    const timespec until{next_ns_ / 1'000'000'000, next_ns_ % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    this->dict_get(key);
  }

 private:
  std::int64_t next_ns_ = 0;
};

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { close(); }
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

// One end of a parent-client socket pair.
class Line {
 public:
  explicit Line(Fd fd) : fd_(std::move(fd)) {}

  void send(std::int64_t number) { send(&number, 1); }
  void send(const std::int64_t* numbers, std::size_t count) {
    const char* at = reinterpret_cast<const char*>(numbers);
    for (std::size_t left = count * sizeof *numbers; left > 0;) {
      const ssize_t done = ::send(fd_.get(), at, left, MSG_NOSIGNAL);
      if (done <= 0) throw std::runtime_error("the other side of the cell is gone");
      at += done;
      left -= static_cast<std::size_t>(done);
    }
  }
  std::int64_t receive() {
    std::int64_t number;
    receive(&number, 1);
    return number;
  }
  void receive(std::int64_t* numbers, std::size_t count) {
    if (count == 0) return;
    const std::size_t bytes = count * sizeof *numbers;
    if (::recv(fd_.get(), numbers, bytes, MSG_WAITALL) != static_cast<ssize_t>(bytes))
      throw std::runtime_error("the other side of the cell is gone");
  }

 private:
  Fd fd_;
};

template <class Operate>
void warm_up_alone(Line& parent, const Operate& operate) {
  const std::int64_t end = now_ns() + parent.receive();
  std::int64_t count = 0;
  do {
    operate();
    ++count;
  } while (now_ns() < end);
  parent.send(count);
}

template <class Operate>
void warm_up_together(Line& parent, const Operate& operate) {
  while (const std::int64_t count = parent.receive()) {
    for (std::int64_t i = 0; i < count; ++i) operate();
    parent.send(1);
  }
}

// The client's way through the stations.
template <class Client>
void run_client(const Cell& cell, const Workload<Client>& workload, Line& parent, const Fd& gate) {
  const std::vector<std::string> keys = make_keys();
  Client client(cell);
  if (workload.fill)
    for (int i = cell.index; i < key_count; i += cell.clients) (client.*workload.fill)(keys[i]);

  // Clients walk over all keys, each from its own place; where a call is a burst, over those it has.
  const std::size_t step = workload.batch == pipeline_depth ? pipeline_depth : 1;
  std::size_t next = static_cast<std::size_t>(cell.index) * key_count / cell.clients;
  const auto operate = [&] {
    (client.*workload.operation)(keys[next]);
    next += step;
    if (next >= keys.size()) next -= keys.size();
  };

  parent.send(1);
  if (workload.is_paired) warm_up_together(parent, operate);
  else warm_up_alone(parent, operate);

  std::vector<std::int64_t> samples(static_cast<std::size_t>(parent.receive()));
  parent.send(1);
  char nothing;
  if (::read(gate.get(), &nothing, 1) != 0) throw std::runtime_error("the start gate is broken");

  for (std::int64_t& sample : samples) {
    const std::int64_t begin = now_ns();
    operate();
    sample = now_ns() - begin;
  }
  parent.send(now_ns());
  parent.receive();
  parent.send(samples.data(), samples.size());
}

struct Result {
  std::int64_t operations = 0;  // timed ones
  std::int64_t warm_up_operations = 0;
  double seconds = 0;
  std::vector<std::int64_t> samples;  // ns, sorted
};

inline std::int64_t tell_all(std::vector<Line>& clients, std::int64_t number) {
  for (Line& client : clients) client.send(number);
  std::int64_t sum = 0;
  for (Line& client : clients) sum += client.receive();
  return sum;
}

// How many calls the clients made, and how many they would have made in `cell.seconds`, each.
inline std::pair<std::int64_t, double> warm_up(const Cell& cell, bool is_paired, std::vector<Line>& clients) {
  const auto length_ns = static_cast<std::int64_t>(cell.warm_up_seconds * 1e9);
  if (!is_paired) {
    const std::int64_t calls = tell_all(clients, length_ns);
    return {calls, static_cast<double>(calls) / cell.warm_up_seconds * cell.seconds / cell.clients};
  }
  const std::int64_t begin = now_ns();
  std::int64_t calls = 0, elapsed_ns = 0;
  for (std::int64_t count = 16; elapsed_ns < length_ns; count *= 2) {
    tell_all(clients, count);
    calls += count;
    elapsed_ns = now_ns() - begin;
  }
  for (Line& client : clients) client.send(0);
  return {calls, static_cast<double>(calls) / static_cast<double>(elapsed_ns) * cell.seconds * 1e9};
}

// The parent's way through the stations.
inline Result run_parent(const Cell& cell, bool is_paired, int batch, std::vector<Line>& clients, Fd gate) {
  for (Line& client : clients) client.receive();
  const auto [warm_up_calls, calls_each] = warm_up(cell, is_paired, clients);
  const auto count = std::max<std::int64_t>(1, std::llround(calls_each));
  for (Line& client : clients) client.send(count);
  for (Line& client : clients) client.receive();

  const std::int64_t start = now_ns();
  gate.close();
  std::int64_t end = start;
  for (Line& client : clients) end = std::max(end, client.receive());

  Result result;
  result.warm_up_operations = warm_up_calls * batch;
  result.operations = count * batch * (is_paired ? 1 : cell.clients);
  result.seconds = static_cast<double>(end - start) / 1e9;
  result.samples.resize(static_cast<std::size_t>(count * cell.clients));
  std::int64_t* at = result.samples.data();
  for (Line& client : clients) {
    client.send(1);
    client.receive(at, static_cast<std::size_t>(count));
    at += count;
  }
  std::sort(result.samples.begin(), result.samples.end());
  return result;
}

// Nearest rank, µs.
inline double percentile_us(const std::vector<std::int64_t>& sorted_ns, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted_ns.size())));
  return static_cast<double>(sorted_ns[std::max<std::size_t>(rank, 1) - 1]) / 1e3;
}

template <class Client>
void check_and_remove(const Cell& cell, const Workload<Client>& workload, const Result& result) {
  Client client(cell);
  const std::int64_t left = (client.*workload.count_left)();
  const std::map<Leaves, std::int64_t> expected = {
      {Leaves::keys, key_count},
      {Leaves::operations, result.operations + result.warm_up_operations},
      {Leaves::nothing, 0},
  };
  if (left != expected.at(workload.leaves))
    throw std::runtime_error(cell.workload + " left " + std::to_string(left) + " behind, not " +
                             std::to_string(expected.at(workload.leaves)));
  client.remove();
}

template <class Client>
void run_cell(Cell cell, const Workload<Client>& workload) {
  if (workload.is_paired && cell.clients != 2) throw std::runtime_error(cell.workload + " takes two clients");
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  cell.shared = new (memory) Shared;
  int gate_ends[2];
  if (::pipe2(gate_ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe for the start gate");
  Fd gate_read(gate_ends[0]), gate_write(gate_ends[1]);
  std::vector<Line> lines;
  std::vector<pid_t> pids;

  for (int index = 0; index < cell.clients; ++index) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw std::runtime_error("no socket pair");
    Line ours{Fd(ends[0])}, theirs{Fd(ends[1])};
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error("no fork");
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      gate_write.close();
      lines.clear();
      int status = 0;
      try {
        const Line unused = std::move(ours);
        cell.index = index;
        run_client(cell, workload, theirs, gate_read);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "client %d: %s\n", index, error.what());
        status = 1;
      }
      ::_exit(status);
    }
    lines.push_back(std::move(ours));
    pids.push_back(pid);
  }

  const Result result = run_parent(cell, workload.is_paired, workload.batch, lines, std::move(gate_write));
  for (const pid_t pid : pids) {
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid || status != 0) throw std::runtime_error("a client failed");
  }
  check_and_remove(cell, workload, result);
  std::printf(
      "{\"operations\": %lld, \"seconds\": %.6f, \"ops_per_s\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f, "
      "\"p999_us\": %.2f}\n",
      static_cast<long long>(result.operations), result.seconds,
      static_cast<double>(result.operations) / result.seconds, percentile_us(result.samples, 0.50),
      percentile_us(result.samples, 0.99), percentile_us(result.samples, 0.999));
}

inline Cell parse_cell(int argc, char** argv) {
  std::map<std::string, std::string> flags;
  for (int i = 1; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  return Cell{.address = flags.at("--address"),
              .authkey_file = flags["--authkey-file"],
              .workload = flags.at("--workload"),
              .object = flags.at("--object"),
              .clients = std::stoi(flags.at("--clients")),
              .seconds = std::stod(flags.at("--seconds")),
              .warm_up_seconds = std::stod(flags.at("--warm-up-seconds"))};
}

template <class Client>
bool run_if_known(const Cell& cell) {
  for (const Workload<Client>& workload : Client::workloads())
    if (workload.name == cell.workload) {
      run_cell(cell, workload);
      return true;
    }
  return false;
}

// Runs the cell with the client that knows its workload.
template <class... Clients>
int bench_main(int argc, char** argv) try {
  const Cell cell = parse_cell(argc, argv);
  if (!(run_if_known<Clients>(cell) || ...)) throw std::runtime_error("no such workload: " + cell.workload);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
  return 1;
}

}  // namespace bench
