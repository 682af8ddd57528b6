// tandem through its client library, as a user would write it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "load.hpp"
#include "tandem/tandem.hpp"
#include "tandem_waits.hpp"

namespace {

using Bytes = std::vector<std::byte>;

class TandemClient {
 public:
  static auto workloads() { return bench::object_workloads<TandemClient>; }

  explicit TandemClient(const bench::Cell& cell)
      : manager_(cell.address, {.authkey_file = cell.authkey_file}),
        object_(cell.object),
        value_(bench::value_bytes, 'v'),
        dict_(manager_.dict<std::string, std::string>(object_ + "-dict")),
        list_(manager_.list<std::string>(object_ + "-list")),
        counters_(manager_.dict<std::string, std::int64_t>(object_ + "-counters")),
        large_(manager_.dict<std::string, Bytes>(object_ + "-large")) {}

  void dict_set(const std::string& key) { dict_.insert_or_assign(key, value_); }
  void dict_get(const std::string& key) {
    if (dict_.at(key).size() != bench::value_bytes) throw std::runtime_error("at() returned another value");
  }
  std::int64_t dict_size() { return static_cast<std::int64_t>(dict_.size()); }

  void list_push_back(const std::string&) { list_.push_back(value_); }
  std::int64_t list_size() { return static_cast<std::int64_t>(list_.size()); }

  void counter_zero(const std::string& key) { counters_.insert_or_assign(key, 0); }
  void counter_add(const std::string& key) { counters_[key] += 1; }
  std::int64_t counter_sum() {
    std::int64_t sum = 0;
    for (const std::int64_t value : counters_.values()) sum += value;
    return sum;
  }

  // The proxy goes at the end of the statement, and the object with it.
  void create_drop(const std::string&) { manager_.dict(); }
  // The clients are gone when this is asked, but their last words may not have been heard yet.
  std::int64_t objects_left() {
    const std::int64_t give_up = bench::now_ns() + 5'000'000'000;
    std::int64_t unnamed = 0;
    do {
      unnamed = 0;
      for (const auto& object : manager_.objects()) unnamed += object.name.empty() ? 1 : 0;
    } while (unnamed != 0 && bench::now_ns() < give_up);
    return unnamed;
  }

  void huge_put(const std::string& key) {
    static const Bytes value(bench::huge_bytes, std::byte{'v'});
    large_.insert_or_assign(bench::huge_key(key), value);
  }
  void huge_get(const std::string& key) {
    if (large_.at(bench::huge_key(key)).size() != bench::huge_bytes)
      throw std::runtime_error("at() returned another value");
  }
  void huge_fill(const std::string& key) {
    if (bench::is_first_of_its_huge_key(key)) huge_put(key);
  }
  std::int64_t huge_missing() { return bench::huge_count - static_cast<std::int64_t>(large_.size()); }

  void large_put(const std::string& key) { large_.insert_or_assign(bench::large_key(key), large_value_); }
  void large_get(const std::string& key) {
    if (large_.at(bench::large_key(key)).size() != bench::large_bytes)
      throw std::runtime_error("at() returned another value");
  }
  void large_fill(const std::string& key) {
    if (bench::is_first_of_its_large_key(key)) large_put(key);
  }
  std::int64_t large_missing() { return bench::large_count - static_cast<std::int64_t>(large_.size()); }

  void remove() {
    for (const char* kind : {"-dict", "-list", "-counters", "-large"}) manager_.remove(object_ + kind);
  }

 protected:
  tandem::Manager manager_;
  std::string object_;
  std::string value_;
  tandem::Dict<std::string, std::string> dict_;

 private:
  tandem::List<std::string> list_;
  tandem::Dict<std::string, std::int64_t> counters_;
  tandem::Dict<std::string, Bytes> large_;
  const Bytes large_value_ = Bytes(bench::large_bytes, std::byte{'v'});
};

class TandemPipeline : public TandemClient {
 public:
  static auto workloads() { return bench::pipelined_workloads<TandemPipeline>; }

  explicit TandemPipeline(const bench::Cell& cell) : TandemClient(cell), pipeline_(manager_.pipeline()) {}

  void dict_set_pipelined(const std::string& key) {
    keys_.for_each_from(
        key, [this](const std::string& one) { pipeline_.send<tandem::ops::Dict::Set>(dict_, one, value_); });
    pipeline_.wait();
  }
  void dict_get_pipelined(const std::string& key) {
    std::array<tandem::Future<std::string>, bench::pipeline_depth> found;
    std::size_t next = 0;
    keys_.for_each_from(key, [&](const std::string& one) {
      found[next++] = pipeline_.call<tandem::ops::Dict::At, std::string>(dict_, one);
    });
    for (const auto& value : found)
      if (value.get().size() != bench::value_bytes) throw std::runtime_error("at() returned another value");
  }

 private:
  const bench::BurstKeys keys_;
  tandem::Pipeline pipeline_;
};

}  // namespace

int main(int argc, char** argv) {
  return bench::bench_main<TandemClient, bench::Paced<TandemClient>, TandemPipeline, TandemWaits>(argc, argv);
}
