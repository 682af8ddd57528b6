// Bytes per entry of five containers, and of the same in Redis.

#include <hiredis/hiredis.h>
#include <malloc.h>

#include <functional>
#include <memory>

#include "scale.hpp"
#include "scale_engine.hpp"

namespace bench {
namespace {

using namespace tandem;
using wire::Writer;

std::uint64_t allocated_bytes() {
  const struct mallinfo2 found = ::mallinfo2();
  return found.uordblks + found.hblkhd;
}

std::string key_text(std::uint64_t i) {
  char text[17];
  std::snprintf(text, sizeof text, "key:%012llu", static_cast<unsigned long long>(i));
  return text;
}
const std::string& value_text() {
  static const std::string text(64, 'v');
  return text;
}

void print_memory(std::string_view workload, std::string_view system, double bytes, std::uint64_t entries) {
  std::printf(
      "{\"workload\": \"%.*s\", \"system\": \"%.*s\", \"bytes_per_entry\": %.2f, \"entries\": %llu}\n",
      static_cast<int>(workload.size()), workload.data(), static_cast<int>(system.size()), system.data(),
      bytes / static_cast<double>(entries), static_cast<unsigned long long>(entries));
  std::fflush(stdout);
}

template <class Ops, class Fill>
void measure_ours(std::string_view workload, std::uint64_t entries, Fill&& fill) {
  BareEngine engine;
  const server::ObjectId object = engine.make<Ops>();
  const std::uint64_t before = allocated_bytes();
  for (std::uint64_t i = 0; i < entries; ++i) fill(engine, object, i);
  print_memory(workload, "tandem", static_cast<double>(allocated_bytes() - before), entries);
}

void measure_ours(std::uint64_t entries) {
  measure_ours<ops::Dict>("memory_dict_int", entries,
                          [](BareEngine& engine, server::ObjectId object, std::uint64_t i) {
                            engine.call<ops::Dict::Set>(object, 2, [&](Writer& to) {
                              to.unsigned_integer(i);
                              to.unsigned_integer(i);
                            });
                          });
  measure_ours<ops::Dict>("memory_dict_text", entries,
                          [](BareEngine& engine, server::ObjectId object, std::uint64_t i) {
                            engine.call<ops::Dict::Set>(object, 2, [&](Writer& to) {
                              to.text(key_text(i));
                              to.text(value_text());
                            });
                          });
  measure_ours<ops::List>(
      "memory_list_int", entries, [](BareEngine& engine, server::ObjectId object, std::uint64_t i) {
        engine.call<ops::List::Append>(object, 1, [&](Writer& to) { to.unsigned_integer(i); });
      });
  measure_ours<ops::List>(
      "memory_list_text", entries, [](BareEngine& engine, server::ObjectId object, std::uint64_t) {
        engine.call<ops::List::Append>(object, 1, [&](Writer& to) { to.text(value_text()); });
      });
  measure_ours<ops::Set>(
      "memory_set_int", entries, [](BareEngine& engine, server::ObjectId object, std::uint64_t i) {
        engine.call<ops::Set::Insert>(object, 1, [&](Writer& to) { to.unsigned_integer(i); });
      });
}

class Redis {
 public:
  explicit Redis(const std::string& path) : context_(redisConnectUnix(path.c_str())) {
    if (!context_ || context_->err) throw std::runtime_error("no Redis at " + path);
  }
  void add(const std::vector<std::string>& words) {
    std::vector<const char*> pointers;
    std::vector<std::size_t> lengths;
    for (const std::string& word : words) {
      pointers.push_back(word.data());
      lengths.push_back(word.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), pointers.data(), lengths.data());
    if (++pending_ == 1'000) drain();
  }
  std::int64_t drain() {
    std::int64_t last = 0;
    for (; pending_ != 0; --pending_) {
      void* reply = nullptr;
      if (redisGetReply(context_.get(), &reply) != REDIS_OK)
        throw std::runtime_error("Redis does not answer");
      const auto* told = static_cast<redisReply*>(reply);
      const bool failed = told->type == REDIS_REPLY_ERROR;
      last = told->integer;
      freeReplyObject(reply);
      if (failed) throw std::runtime_error("Redis refused a command");
    }
    return last;
  }

 private:
  struct Free {
    void operator()(redisContext* context) const { redisFree(context); }
  };
  std::unique_ptr<redisContext, Free> context_;
  int pending_ = 0;
};

void measure_redis(const std::string& path, std::uint64_t entries) {
  using Words = std::vector<std::string>;
  struct Container {
    const char* workload;
    std::function<Words(std::uint64_t)> add;
  };
  const std::string key = "bench-memory";
  const Container containers[] = {
      {"memory_dict_int",
       [&](std::uint64_t i) {
         return Words{"HSET", key, std::to_string(i), std::to_string(i)};
       }},
      {"memory_dict_text",
       [&](std::uint64_t i) {
         return Words{"HSET", key, key_text(i), value_text()};
       }},
      {"memory_list_int",
       [&](std::uint64_t i) {
         return Words{"RPUSH", key, std::to_string(i)};
       }},
      {"memory_list_text",
       [&](std::uint64_t) {
         return Words{"RPUSH", key, value_text()};
       }},
      {"memory_set_int",
       [&](std::uint64_t i) {
         return Words{"SADD", key, std::to_string(i)};
       }},
  };
  Redis redis(path);
  for (const Container& container : containers) {
    for (std::uint64_t i = 0; i < entries; ++i) redis.add(container.add(i));
    redis.drain();
    redis.add({"MEMORY", "USAGE", key, "SAMPLES", "0"});
    print_memory(container.workload, "redis-unix", static_cast<double>(redis.drain()), entries);
    redis.add({"DEL", key});
    redis.drain();
  }
}

}  // namespace

void measure_memory(const ScaleOptions& options) {
  const std::uint64_t entries = options.at_most(1'000'000, 50'000);
  measure_ours(entries);
  if (!options.redis.empty()) measure_redis(options.redis, entries);
}

}  // namespace bench
