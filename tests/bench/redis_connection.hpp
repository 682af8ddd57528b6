#pragma once
// Redis through hiredis, one blocking connection. redisCommandArgv is the library's quickest natural call for one request
// at a time: no format string to parse, lengths known.

#include <hiredis/hiredis.h>

#include <array>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bench {

class RedisConnection {
 protected:
  struct FreeReply {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
  };
  using Reply = std::unique_ptr<redisReply, FreeReply>;

  explicit RedisConnection(const std::string& path) : context_(redisConnectUnix(path.c_str())) {
    if (!context_ || context_->err)
      throw std::runtime_error(context_ ? context_->errstr : "no redis context");
  }

  // Any reply but an error.
  Reply call(std::initializer_list<std::string_view> words) {
    Command command(words);
    Reply reply(static_cast<redisReply*>(
        redisCommandArgv(context_.get(), command.count, command.pointers.data(), command.lengths.data())));
    if (!reply) throw std::runtime_error(context_->errstr);
    if (reply->type == REDIS_REPLY_ERROR)
      throw std::runtime_error(std::string(*words.begin()) + ": " + reply->str);
    return reply;
  }
  Reply call(std::initializer_list<std::string_view> words, int expected_type) {
    Reply reply = call(words);
    if (reply->type != expected_type)
      throw std::runtime_error(std::string(*words.begin()) + ": a reply of another type");
    return reply;
  }

  // Puts a command into the buffer of those to be sent; the first call of next_reply() sends them.
  void append(std::initializer_list<std::string_view> words) {
    Command command(words);
    if (redisAppendCommandArgv(context_.get(), command.count, command.pointers.data(),
                               command.lengths.data()) != REDIS_OK)
      throw std::runtime_error(context_->errstr);
  }
  Reply next_reply(int expected_type) {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) throw std::runtime_error(context_->errstr);
    Reply taken(static_cast<redisReply*>(reply));
    if (taken->type != expected_type) throw std::runtime_error("a reply of another type");
    return taken;
  }

 private:
  struct Command {
    explicit Command(std::initializer_list<std::string_view> words) {
      for (const std::string_view word : words) {
        pointers.at(count) = word.data();
        lengths.at(count++) = word.size();
      }
    }
    std::array<const char*, 8> pointers;
    std::array<std::size_t, 8> lengths;
    int count = 0;
  };

  struct FreeContext {
    void operator()(redisContext* context) const { redisFree(context); }
  };
  std::unique_ptr<redisContext, FreeContext> context_;
};

}  // namespace bench
