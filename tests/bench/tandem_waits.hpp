#pragma once
// What processes wait for, through tandem's client library.

#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "load.hpp"
#include "tandem/tandem.hpp"

class TandemWaits {
 public:
  static std::vector<bench::Workload<TandemWaits>> workloads() {
    using bench::Leaves;
    return {
        {"lock_unlock", &TandemWaits::lock_unlock, nullptr, &TandemWaits::count, Leaves::operations},
        {"semaphore", &TandemWaits::semaphore, nullptr, &TandemWaits::permits_missing, Leaves::nothing},
        {"queue_handover", &TandemWaits::queue_handover, nullptr, &TandemWaits::count, Leaves::operations,
         true},
        {"queue_handover_pipelined", &TandemWaits::queue_handover_pipelined, nullptr, &TandemWaits::count,
         Leaves::operations, true},
        {"queue_pingpong", &TandemWaits::queue_pingpong, nullptr, &TandemWaits::count, Leaves::operations,
         true},
        {"condition_pingpong", &TandemWaits::condition_pingpong, nullptr, &TandemWaits::count,
         Leaves::operations, true},
        {"pool_map", &TandemWaits::pool_map, nullptr, &TandemWaits::count, Leaves::operations, false,
         bench::tasks},
    };
  }

  explicit TandemWaits(const bench::Cell& cell)
      : manager_(cell.address, {.authkey_file = cell.authkey_file}),
        object_(cell.object),
        value_(bench::value_bytes, 'v'),
        index_(cell.index),
        shared_(*cell.shared) {
    if (cell.workload == "lock_unlock") lock_ = manager_.lock(object_);
    if (cell.workload == "semaphore") semaphore_ = manager_.semaphore(object_, bench::permits);
    if (cell.workload == "queue_handover_pipelined") pipeline_.emplace(manager_.pipeline());
    if (cell.workload == "queue_handover" || cell.workload == "queue_handover_pipelined" ||
        cell.workload == "queue_pingpong")
      there_ = manager_.queue<std::string>(object_);
    if (cell.workload == "queue_pingpong") back_ = manager_.queue<std::string>(object_ + "-back");
    if (cell.workload == "condition_pingpong") condition_ = manager_.condition(object_);
    if (cell.workload == "pool_map" && cell.index >= 0) {  // whoever only looks afterwards needs no workers
      pool_.emplace(manager_);
      numbers_.resize(bench::tasks);
      std::iota(numbers_.begin(), numbers_.end(), 0);
    }
  }

  void lock_unlock(const std::string&) {
    lock_.lock();
    shared_.add(1);
    lock_.unlock();
  }

  void semaphore(const std::string&) {
    semaphore_.acquire();
    semaphore_.release();
  }
  std::int64_t permits_missing() {
    int there = 0;
    while (there <= bench::permits && semaphore_.try_acquire()) ++there;
    return bench::permits - there;
  }

  void queue_handover(const std::string&) {
    if (is_first()) {
      there_.put(value_);
    } else {
      there_.get();
      shared_.add(1);
    }
  }

  void queue_handover_pipelined(const std::string&) {
    if (is_first()) {
      pipeline_->send<tandem::ops::Queue::Put>(there_, value_);
      pipeline_->flush();
    } else {
      there_.get();
      shared_.add(1);
    }
  }

  void queue_pingpong(const std::string&) {
    if (is_first()) {
      there_.put(value_);
      back_.get();
      shared_.add(1);
    } else {
      back_.put(there_.get());
    }
  }

  void condition_pingpong(const std::string&) {
    condition_.lock();
    condition_.wait([&] { return shared_.turn == index_; });
    shared_.turn = 1 - index_;
    if (is_first()) shared_.add(1);
    condition_.notify_one();
    condition_.unlock();
  }

  void pool_map(const std::string&) {
    auto trivial = [](int number) { return number; };
    shared_.add(static_cast<std::int64_t>(pool_->map(trivial, numbers_).size()));
  }

  std::int64_t count() { return shared_.count; }
  void remove() {
    for (const char* end : {"", "-back"}) manager_.remove(object_ + end);
  }

 private:
  bool is_first() const { return index_ == 0; }

  tandem::Manager manager_;
  std::string object_;
  std::string value_;
  int index_;
  bench::Shared& shared_;
  tandem::Lock lock_;
  tandem::Semaphore semaphore_;
  tandem::Queue<std::string> there_, back_;
  std::optional<tandem::Pipeline> pipeline_;
  tandem::Condition condition_;
  std::optional<tandem::Pool> pool_;
  std::vector<int> numbers_;
};
