// Redis, one connection per client process.

#include "load.hpp"
#include "redis_connection.hpp"

namespace {

using bench::RedisConnection;

class RedisClient : protected RedisConnection {
 public:
  static auto workloads() { return bench::object_workloads<RedisClient>; }

  explicit RedisClient(const bench::Cell& cell)
      : RedisConnection(cell.address), object_(cell.object), value_(bench::value_bytes, 'v') {}

  void dict_set(const std::string& key) { call({"HSET", object_, key, value_}, REDIS_REPLY_INTEGER); }
  void dict_get(const std::string& key) {
    if (call({"HGET", object_, key}, REDIS_REPLY_STRING)->len != bench::value_bytes)
      throw std::runtime_error("HGET returned another value");
  }
  std::int64_t dict_size() { return call({"HLEN", object_}, REDIS_REPLY_INTEGER)->integer; }

  void list_push_back(const std::string&) { call({"RPUSH", object_, value_}, REDIS_REPLY_INTEGER); }
  std::int64_t list_size() { return call({"LLEN", object_}, REDIS_REPLY_INTEGER)->integer; }

  void counter_zero(const std::string& key) { call({"HSET", object_, key, "0"}, REDIS_REPLY_INTEGER); }
  void counter_add(const std::string& key) { call({"HINCRBY", object_, key, "1"}, REDIS_REPLY_INTEGER); }
  std::int64_t counter_sum() {
    const Reply values = call({"HVALS", object_}, REDIS_REPLY_ARRAY);
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < values->elements; ++i) sum += std::stoll(values->element[i]->str);
    return sum;
  }

  // Redis has no objects without a name and no empty hashes. The nearest equal of "make a dict of my own, drop it" is
  // the first field of a fresh key and the removal of that key: two round trips.
  void create_drop(const std::string&) {
    const std::string fresh = object_ + ":" + std::to_string(::getpid()) + ":" + std::to_string(created_++);
    call({"HSET", fresh, "f", "0"}, REDIS_REPLY_INTEGER);
    call({"DEL", fresh}, REDIS_REPLY_INTEGER);
  }
  // Every cell removes what it made, so whatever the server still holds was left by this one.
  std::int64_t objects_left() { return call({"DBSIZE"}, REDIS_REPLY_INTEGER)->integer; }

  void large_put(const std::string& key) {
    call({"HSET", object_, bench::large_key(key), large_value_}, REDIS_REPLY_INTEGER);
  }
  void large_get(const std::string& key) {
    if (call({"HGET", object_, bench::large_key(key)}, REDIS_REPLY_STRING)->len != bench::large_bytes)
      throw std::runtime_error("HGET returned another value");
  }
  void large_fill(const std::string& key) {
    if (bench::is_first_of_its_large_key(key)) large_put(key);
  }
  std::int64_t large_missing() { return bench::large_count - dict_size(); }

  void huge_put(const std::string& key) {
    static const std::string value(bench::huge_bytes, 'v');
    call({"HSET", object_, bench::huge_key(key), value}, REDIS_REPLY_INTEGER);
  }
  void huge_get(const std::string& key) {
    if (call({"HGET", object_, bench::huge_key(key)}, REDIS_REPLY_STRING)->len != bench::huge_bytes)
      throw std::runtime_error("HGET returned another value");
  }
  void huge_fill(const std::string& key) {
    if (bench::is_first_of_its_huge_key(key)) huge_put(key);
  }
  std::int64_t huge_missing() { return bench::huge_count - dict_size(); }

  void remove() { call({"DEL", object_}, REDIS_REPLY_INTEGER); }

 protected:
  std::string object_;
  std::string value_;

 private:
  const std::string large_value_ = std::string(bench::large_bytes, 'v');
  std::int64_t created_ = 0;
};

class RedisPipeline : public RedisClient {
 public:
  static auto workloads() { return bench::pipelined_workloads<RedisPipeline>; }
  using RedisClient::RedisClient;

  void dict_set_pipelined(const std::string& key) {
    keys_.for_each_from(key, [this](const std::string& one) { append({"HSET", object_, one, value_}); });
    for (int i = 0; i < bench::pipeline_depth; ++i) next_reply(REDIS_REPLY_INTEGER);
  }
  void dict_get_pipelined(const std::string& key) {
    keys_.for_each_from(key, [this](const std::string& one) { append({"HGET", object_, one}); });
    for (int i = 0; i < bench::pipeline_depth; ++i)
      if (next_reply(REDIS_REPLY_STRING)->len != bench::value_bytes)
        throw std::runtime_error("HGET returned another value");
  }

 private:
  const bench::BurstKeys keys_;
};

// Locks, semaphores and queues are what users of Redis make of its keys and lists.
class RedisWaits : private RedisConnection {
 public:
  static std::vector<bench::Workload<RedisWaits>> workloads() {
    using bench::Leaves;
    return {
        {"lock_unlock", &RedisWaits::lock_unlock, nullptr, &RedisWaits::count, Leaves::operations},
        {"semaphore", &RedisWaits::semaphore, nullptr, &RedisWaits::permits_missing, Leaves::nothing},
        {"queue_handover", &RedisWaits::queue_handover, nullptr, &RedisWaits::count, Leaves::operations,
         true},
        {"queue_pingpong", &RedisWaits::queue_pingpong, nullptr, &RedisWaits::count, Leaves::operations,
         true},
    };
  }

  explicit RedisWaits(const bench::Cell& cell)
      : RedisConnection(cell.address),
        lock_(cell.object + "-lock"),
        semaphore_(cell.object + "-semaphore"),
        there_(cell.object + "-there"),
        back_(cell.object + "-back"),
        owner_(std::to_string(::getpid())),
        value_(bench::value_bytes, 'v'),
        is_first_(cell.index == 0),
        shared_(*cell.shared) {
    const Reply sink = call({"SCRIPT", "LOAD", release_script}, REDIS_REPLY_STRING);
    release_.assign(sink->str, sink->len);
    if (is_first_ && cell.workload == "semaphore")
      for (int i = 0; i < bench::permits; ++i) call({"RPUSH", semaphore_, "permit"}, REDIS_REPLY_INTEGER);
  }

  // Who does not get the lock asks again at once: no other way is quicker to find out that it is free.
  void lock_unlock(const std::string&) {
    while (call({"SET", lock_, owner_, "NX", "PX", "60000"})->type == REDIS_REPLY_NIL) continue;
    shared_.add(1);
    if (call({"EVALSHA", release_, "1", lock_, owner_}, REDIS_REPLY_INTEGER)->integer != 1)
      throw std::runtime_error("the lock was another's");
  }

  // A list of permits.
  void semaphore(const std::string&) {
    take(semaphore_);
    call({"RPUSH", semaphore_, "permit"}, REDIS_REPLY_INTEGER);
  }
  std::int64_t permits_missing() {
    return bench::permits - call({"LLEN", semaphore_}, REDIS_REPLY_INTEGER)->integer;
  }

  void queue_handover(const std::string&) {
    if (is_first_) {
      call({"RPUSH", there_, value_}, REDIS_REPLY_INTEGER);
    } else {
      take(there_);
      shared_.add(1);
    }
  }

  void queue_pingpong(const std::string&) {
    if (is_first_) call({"RPUSH", there_, value_}, REDIS_REPLY_INTEGER);
    take(is_first_ ? back_ : there_);
    if (is_first_) shared_.add(1);
    else call({"RPUSH", back_, value_}, REDIS_REPLY_INTEGER);
  }

  std::int64_t count() { return shared_.count; }
  void remove() {
    for (const std::string& key : {lock_, semaphore_, there_, back_}) call({"DEL", key}, REDIS_REPLY_INTEGER);
  }

 private:
  static constexpr std::string_view release_script =
      "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

  void take(const std::string& list) {
    if (call({"BLPOP", list, "0"}, REDIS_REPLY_ARRAY)->elements != 2)
      throw std::runtime_error("BLPOP gave no item");
  }

  std::string lock_, semaphore_, there_, back_, owner_, value_;
  std::string release_;
  bool is_first_;
  bench::Shared& shared_;
};

}  // namespace

int main(int argc, char** argv) {
  return bench::bench_main<RedisClient, bench::Paced<RedisClient>, RedisPipeline, RedisWaits>(argc, argv);
}
