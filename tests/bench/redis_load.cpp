// Redis through hiredis, one blocking connection per client process. redisCommandArgv is the library's quickest
// natural call for one request at a time: no format string to parse, lengths known.

#include <hiredis/hiredis.h>

#include <initializer_list>
#include <memory>

#include "load.hpp"

namespace {

class RedisClient {
 public:
  explicit RedisClient(const bench::Cell& cell)
      : context_(redisConnectUnix(cell.address.c_str())),
        object_(cell.object),
        value_(bench::value_bytes, 'v') {
    if (!context_ || context_->err)
      throw std::runtime_error(context_ ? context_->errstr : "no redis context");
  }

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

  void remove() { call({"DEL", object_}, REDIS_REPLY_INTEGER); }

 private:
  struct FreeContext {
    void operator()(redisContext* context) const { redisFree(context); }
  };
  struct FreeReply {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
  };
  using Reply = std::unique_ptr<redisReply, FreeReply>;

  Reply call(std::initializer_list<std::string_view> words, int expected_type) {
    const char* pointers[4];
    std::size_t lengths[4];
    int count = 0;
    for (const std::string_view word : words) {
      pointers[count] = word.data();
      lengths[count++] = word.size();
    }
    Reply reply(static_cast<redisReply*>(redisCommandArgv(context_.get(), count, pointers, lengths)));
    if (!reply) throw std::runtime_error(context_->errstr);
    if (reply->type != expected_type)
      throw std::runtime_error(std::string(words.begin()->data()) + ": " +
                               (reply->type == REDIS_REPLY_ERROR ? reply->str : "a reply of another type"));
    return reply;
  }

  std::unique_ptr<redisContext, FreeContext> context_;
  std::string object_;
  std::string value_;
  std::int64_t created_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  return bench::bench_main<RedisClient>(argc, argv);
}
