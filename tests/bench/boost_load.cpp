// Boost.Interprocess: a hash map in managed shared memory under an interprocess mutex, which every client
// process opens for itself. There is no server that could be asked, protect what it holds, or clean up: the
// limit of doing without one.

#include <boost/functional/hash.hpp>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/containers/string.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/unordered_map.hpp>

#include "load.hpp"

namespace {

namespace ipc = boost::interprocess;

class BoostClient {
  using Segment = ipc::managed_shared_memory;
  template <class T>
  using Allocator = ipc::allocator<T, Segment::segment_manager>;
  using String = ipc::basic_string<char, std::char_traits<char>, Allocator<char>>;
  using Map = boost::unordered_map<String, String, boost::hash<String>, std::equal_to<String>,
                                   Allocator<std::pair<const String, String>>>;
  using Held = ipc::scoped_lock<ipc::interprocess_mutex>;

 public:
  static std::vector<bench::Workload<BoostClient>> workloads() {
    using bench::Leaves;
    return {
        {"dict_set", &BoostClient::dict_set, &BoostClient::dict_set, &BoostClient::dict_size, Leaves::keys},
        {"dict_get", &BoostClient::dict_get, &BoostClient::dict_set, &BoostClient::dict_size, Leaves::keys},
    };
  }

  // The address is the beginning of the segment's name.
  explicit BoostClient(const bench::Cell& cell)
      : name_(cell.address + cell.object),
        segment_(ipc::open_or_create, name_.c_str(), segment_bytes),
        value_(bench::value_bytes, 'v') {
    mutex_ = segment_.find_or_construct<ipc::interprocess_mutex>("mutex")();
    const Held held(*mutex_);
    map_ = segment_.find_or_construct<Map>("map")(std::size_t{2} * bench::key_count, boost::hash<String>(),
                                                  std::equal_to<String>(), segment_.get_segment_manager());
  }

  void dict_set(const std::string& key) {
    const Held held(*mutex_);
    const String its = key_of(key);
    const auto at = map_->find(its);
    if (at != map_->end()) at->second.assign(value_.data(), value_.size());
    else map_->emplace(its, String(value_.data(), value_.size(), segment_.get_segment_manager()));
  }
  void dict_get(const std::string& key) {
    std::string found;
    {
      const Held held(*mutex_);
      const auto at = map_->find(key_of(key));
      if (at != map_->end()) found.assign(at->second.data(), at->second.size());
    }
    if (found.size() != bench::value_bytes) throw std::runtime_error("the map has another value");
  }
  std::int64_t dict_size() {
    const Held held(*mutex_);
    return static_cast<std::int64_t>(map_->size());
  }
  void remove() { ipc::shared_memory_object::remove(name_.c_str()); }

 private:
  static constexpr std::size_t segment_bytes = std::size_t{4} << 20;

  // Short enough to need no memory of the segment's.
  String key_of(const std::string& key) {
    return String(key.data(), key.size(), segment_.get_segment_manager());
  }

  std::string name_;
  Segment segment_;
  std::string value_;
  ipc::interprocess_mutex* mutex_;
  Map* map_;
};

}  // namespace

int main(int argc, char** argv) {
  return bench::bench_main<BoostClient>(argc, argv);
}
