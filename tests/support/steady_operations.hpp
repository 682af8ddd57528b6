#pragma once
// Operations that leave a manager as they found it, so that they can be repeated for ever: what is measured of one is
// what it costs in the steady state.

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tandem/tandem.hpp"

namespace tandem::test {

struct SteadyOperation {
  std::string name;
  std::function<void()> run;
};

/// On objects of their own, made in `manager`, which they keep.
inline std::vector<SteadyOperation> steady_operations(const Manager& manager) {
  auto numbers = manager.dict<std::int64_t, std::int64_t>();
  for (std::int64_t i = 0; i < 1000; ++i) numbers.insert_or_assign(i, i);
  auto texts = manager.dict<std::string, std::string>();
  const std::string key = "a key of 24 bytes, about", value(100, 'v');
  texts.insert_or_assign(key, value);
  auto list = manager.list<std::int64_t>();
  for (std::int64_t i = 0; i < 1000; ++i) list.push_back(i);
  auto counter = manager.value<std::int64_t>(0);
  auto lock = manager.lock();
  auto queue = manager.queue<std::int64_t>();
  auto semaphore = manager.semaphore(3);
  auto pipeline = std::make_shared<Pipeline>(manager.pipeline());
  auto sent = (*pipeline)(numbers);
  constexpr int burst = 16;  // that many operations are one, of those in a pipeline
  return {
      {"ping", [=]() mutable { manager.ping(); }},
      {"dict_set", [=, i = std::int64_t{0}]() mutable { numbers.insert_or_assign(++i % 1000, i); }},
      {"dict_get", [=, i = std::int64_t{0}]() mutable { numbers.at(++i % 1000); }},
      {"dict_set_text", [=]() mutable { texts.insert_or_assign(key, value); }},
      {"dict_get_text", [=]() mutable { texts.at(key); }},
      {"list_get", [=, i = std::int64_t{0}]() mutable { list.at(++i % 1000); }},
      {"list_push_pop",
       [=]() mutable {
         list.push_back(1);
         list.pop();
       }},
      {"counter_add", [=]() mutable { counter += 1; }},
      {"lock_unlock",
       [=]() mutable {
         lock.lock();
         lock.unlock();
       }},
      {"semaphore",
       [=]() mutable {
         semaphore.acquire();
         semaphore.release();
       }},
      {"queue_put_get",
       [=]() mutable {
         queue.put(1);
         queue.get();
       }},
      {"pipelined_set",
       [=, i = std::int64_t{0}]() mutable {
         for (int n = 0; n < burst; ++n, ++i) pipeline->send<ops::Dict::Set>(numbers, i % 1000, i);
         pipeline->wait();
       }},
      {"pipelined_bound",
       [=, i = std::int64_t{0}]() mutable {
         for (int n = 0; n < burst; ++n, ++i) sent.update(std::array{std::pair(i % 1000, i)});
         pipeline->wait();
       }},
      {"pipelined_get",
       [=, i = std::int64_t{0}]() mutable {
         std::array<Future<std::int64_t>, burst> found;
         for (auto& one : found) one = pipeline->call<ops::Dict::At, std::int64_t>(numbers, ++i % 1000);
         for (auto& one : found) one.get();
       }},
  };
}

}  // namespace tandem::test
