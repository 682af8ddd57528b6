// What durability.py has clients do to a manager or a Redis, on one dict or hash of texts.
//
//   bench_durability --system tandem|redis --address A [--authkey-file F] --work W [--NUMBER N]...
//
//   fill     writes the entries `first` to `first` + `entries`, with `value_bytes` each, a hundred at a time without waiting
//   count    says how many entries there are
//   set      writes entries 0 to 999 over and over, `operations` times by each of so many `clients`, one at a time
//   stream   has one client get and another one set any of `entries`, so many times each millisecond, until its standard
//            input ends; the sets are of `value_bytes`
//
// Prints one line of JSON.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <functional>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "redis_connection.hpp"
#include "tandem/tandem.hpp"

namespace {

struct Work {
  std::string address;
  std::string authkey_file;
  std::map<std::string, std::uint64_t> numbers;

  std::uint64_t number(const std::string& name) const {
    const auto found = numbers.find(name);
    if (found == numbers.end()) throw std::runtime_error("--" + name + " is missing");
    return found->second;
  }
};

constexpr const char* object = "entries";
constexpr std::uint64_t burst = 100;
constexpr std::uint64_t keys_of_set = 1'000;
constexpr std::uint64_t gets_per_ms = 2;
constexpr std::uint64_t sets_per_ms = 5;

std::uint64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::string key_of(std::uint64_t entry) {
  char text[32];
  std::snprintf(text, sizeof text, "key:%012llu", static_cast<unsigned long long>(entry));
  return text;
}

/// Values that no compression makes shorter: parts of one random text.
class Values {
 public:
  explicit Values(std::uint64_t bytes) : bytes_(bytes) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::minstd_rand random(1);
    text_.resize(bytes + parts);
    for (char& letter : text_) letter = letters[random() / 7 % letters.size()];
  }
  std::string of(std::uint64_t entry) const { return text_.substr(entry * 7'919 % parts, bytes_); }

 private:
  static constexpr std::uint64_t parts = std::uint64_t{1} << 20;
  const std::uint64_t bytes_;
  std::string text_;
};

class Tandem {
 public:
  explicit Tandem(const Work& work)
      : manager_(work.address, {.authkey_file = work.authkey_file}),
        entries_(manager_.dict<std::string, std::string>(object)) {}

  void set(const std::string& key, const std::string& value) { entries_.insert_or_assign(key, value); }
  std::size_t get(const std::string& key) { return entries_.at(key).size(); }
  std::uint64_t count() { return entries_.size(); }
  void fill(std::uint64_t first, std::uint64_t count, const Values& values) {
    for (std::uint64_t i = first; i < first + count; ++i)
      pipeline_.send<tandem::ops::Dict::Set>(entries_, key_of(i), values.of(i));
    pipeline_.wait();
  }

 private:
  tandem::Manager manager_;
  tandem::Dict<std::string, std::string> entries_;
  tandem::Pipeline pipeline_ = manager_.pipeline();
};

class Redis : private bench::RedisConnection {
 public:
  explicit Redis(const Work& work) : RedisConnection(work.address) {}

  void set(const std::string& key, const std::string& value) {
    call({"HSET", object, key, value}, REDIS_REPLY_INTEGER);
  }
  std::size_t get(const std::string& key) { return call({"HGET", object, key}, REDIS_REPLY_STRING)->len; }
  std::uint64_t count() {
    return static_cast<std::uint64_t>(call({"HLEN", object}, REDIS_REPLY_INTEGER)->integer);
  }
  void fill(std::uint64_t first, std::uint64_t count, const Values& values) {
    for (std::uint64_t i = first; i < first + count; ++i) append({"HSET", object, key_of(i), values.of(i)});
    for (std::uint64_t i = 0; i < count; ++i) next_reply(REDIS_REPLY_INTEGER);
  }
};

/// Runs all of them at once, each on a thread of its own; a failure of one is thrown here.
void run_together(const std::vector<std::function<void()>>& parts) {
  std::vector<std::exception_ptr> failures(parts.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < parts.size(); ++i)
    threads.emplace_back([&part = parts[i], &failure = failures[i]] {
      try {
        part();
      } catch (...) {
        failure = std::current_exception();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

template <class Client>
void fill(const Work& work) {
  Client client(work);
  const Values values(work.number("value_bytes"));
  const std::uint64_t end = work.number("first") + work.number("entries");
  const std::uint64_t began = now_ns();
  for (std::uint64_t at = work.number("first"); at < end; at += burst)
    client.fill(at, std::min(burst, end - at), values);
  std::printf("{\"seconds\": %.3f}\n", static_cast<double>(now_ns() - began) / 1e9);
}

template <class Client>
void count(const Work& work) {
  std::printf("{\"entries\": %llu}\n", static_cast<unsigned long long>(Client(work).count()));
}

template <class Client>
void set(const Work& work) {
  const Values values(work.number("value_bytes"));
  const std::uint64_t operations = work.number("operations");
  std::vector<std::function<void()>> clients;
  for (std::uint64_t index = 0; index < work.number("clients"); ++index)
    clients.emplace_back([&, index] {
      Client client(work);
      for (std::uint64_t i = 0; i < operations; ++i)
        client.set(key_of((i + index * 123) % keys_of_set), values.of(i));
    });
  const std::uint64_t began = now_ns();
  run_together(clients);
  std::printf("{\"operations\": %llu, \"seconds\": %.3f}\n",
              static_cast<unsigned long long>(operations * clients.size()),
              static_cast<double>(now_ns() - began) / 1e9);
}

/// Calls `operate` so many times each millisecond until `stop`, as often as there is time for, and returns how long each
/// call took, sorted.
std::vector<std::uint64_t> paced(std::uint64_t per_ms, const std::atomic<bool>& stop,
                                 const std::function<void()>& operate) {
  std::vector<std::uint64_t> took;
  for (std::uint64_t next = now_ns(); !stop; next = std::max(next + 1'000'000, now_ns())) {
    const timespec until{static_cast<std::time_t>(next / 1'000'000'000),
                         static_cast<long>(next % 1'000'000'000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    for (std::uint64_t i = 0; i < per_ms; ++i) {
      const std::uint64_t began = now_ns();
      operate();
      took.push_back(now_ns() - began);
    }
  }
  std::sort(took.begin(), took.end());
  return took;
}

void print_times(const char* name, const std::vector<std::uint64_t>& sorted_ns, const char* end) {
  const auto at = [&](std::size_t per_thousand) {
    return static_cast<double>(sorted_ns.at((sorted_ns.size() - 1) * per_thousand / 1'000)) / 1e3;
  };
  std::printf("\"%s\": {\"count\": %zu, \"p50_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}%s", name,
              sorted_ns.size(), at(500), at(999), at(1'000), end);
}

template <class Client>
void stream(const Work& work) {
  const Values values(work.number("value_bytes"));
  const std::uint64_t entries = work.number("entries");
  std::atomic<bool> stop{false};
  std::vector<std::uint64_t> gets, sets;
  run_together({
      [&] {
        Client client(work);
        std::minstd_rand random(2);
        gets = paced(gets_per_ms, stop, [&] {
          if (client.get(key_of(random() % entries)) == 0) throw std::runtime_error("an entry is empty");
        });
      },
      [&] {
        Client client(work);
        std::minstd_rand random(3);
        sets = paced(sets_per_ms, stop, [&] { client.set(key_of(random() % entries), values.of(random())); });
      },
      [&] {
        char byte;
        while (::read(STDIN_FILENO, &byte, 1) > 0) continue;
        stop = true;
      },
  });
  std::printf("{");
  print_times("gets", gets, ", ");
  print_times("sets", sets, "}\n");
}

template <class Client>
void run(const std::string& name, const Work& work) {
  static const std::map<std::string, void (*)(const Work&)> all{
      {"fill", fill<Client>}, {"count", count<Client>}, {"set", set<Client>}, {"stream", stream<Client>}};
  const auto found = all.find(name);
  if (found == all.end()) throw std::runtime_error("--work is one of fill, count, set, stream");
  found->second(work);
}

}  // namespace

int main(int argc, char** argv) try {
  Work work;
  std::string system, name;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i], value = argv[i + 1];
    if (flag == "--system") system = value;
    else if (flag == "--work") name = value;
    else if (flag == "--address") work.address = value;
    else if (flag == "--authkey-file") work.authkey_file = value;
    else if (flag.starts_with("--")) work.numbers[flag.substr(2)] = std::stoull(value);
    else throw std::runtime_error("what is " + flag + "?");
  }
  if (system == "redis") run<Redis>(name, work);
  else run<Tandem>(name, work);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
  return 1;
}
