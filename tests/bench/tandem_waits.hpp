#pragma once
// What processes wait for, through tandem's client library.

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
    };
  }

  explicit TandemWaits(const bench::Cell& cell)
      : manager_(cell.address, {.authkey_file = cell.authkey_file}),
        object_(cell.object),
        shared_(*cell.shared) {
    if (cell.workload == "lock_unlock") lock_ = manager_.lock(object_);
  }

  void lock_unlock(const std::string&) {
    lock_.lock();
    shared_.add(1);
    lock_.unlock();
  }

  std::int64_t count() { return shared_.count; }
  void remove() { manager_.remove(object_); }

 private:
  tandem::Manager manager_;
  std::string object_;
  bench::Shared& shared_;
  tandem::Lock lock_;
};
