#pragma once
// A history recorded by forked processes: each client writes what it does to memory that all of them share, which keeps
// what was written whatever happens to the writer.

#include <sys/mman.h>

#include <atomic>
#include <ctime>
#include <new>
#include <stdexcept>
#include <type_traits>

#include "tests/linearizability/history.hpp"

namespace tandem::test {

/// Made before the processes are forked; its memory is the same in all of them.
template <class Model>
class Recording {
  struct Entry {
    typename Model::Call call;
    typename Model::Result result;
    std::atomic<std::int64_t> invoked_ns;   // 0: not yet
    std::atomic<std::int64_t> returned_ns;  // 0: not yet
  };
  static_assert(std::is_trivially_copyable_v<typename Model::Call>);
  static_assert(std::is_trivially_copyable_v<typename Model::Result>);
  static_assert(std::atomic<std::int64_t>::is_always_lock_free);

 public:
  /// The place of one client, written by one thread of one process.
  class Client {
   public:
    /// Does the call and records it: `body` gives the result. When it throws, or does not come back at all,
    /// nobody knows what became of the call.
    template <class Body>
    typename Model::Result record(const typename Model::Call& call, Body&& body) {
      Entry& entry = begin(call);
      const typename Model::Result result = body();
      entry.result = result;
      entry.returned_ns.store(now_ns(), std::memory_order_release);
      return result;
    }
    /// Records a call that never returns.
    void record_unknown(const typename Model::Call& call) { begin(call); }

   private:
    friend Recording;
    Client(Entry* first, std::size_t count_max) : next_(first), end_(first + count_max) {}

    Entry& begin(const typename Model::Call& call) {
      if (next_ == end_)
        throw std::length_error("the recording has no place for more operations of this client");
      Entry& entry = *next_++;
      entry.call = call;
      entry.invoked_ns.store(now_ns(), std::memory_order_release);
      return entry;
    }

    Entry* next_;
    Entry* end_;
  };

  Recording(std::size_t clients, std::size_t operations_max_each)
      : clients_(clients), operations_max_each_(operations_max_each) {
    void* memory = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    entries_ = static_cast<Entry*>(memory);
    std::uninitialized_value_construct_n(entries_, clients_ * operations_max_each_);
  }
  ~Recording() { munmap(entries_, bytes()); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  /// Asked for once for each number.
  Client client(std::size_t number) { return {place(number), operations_max_each_}; }
  /// How many of a client's operations have returned by now.
  std::size_t returned_count(std::size_t client) const {
    const Entry* first = place(client);
    return static_cast<std::size_t>(std::count_if(first, first + operations_max_each_,
                                                  [](const Entry& entry) { return entry.returned_ns != 0; }));
  }
  /// What all have recorded by now.
  History<Model> history() const {
    History<Model> history;
    for (std::size_t client = 0; client < clients_; ++client) {
      const Entry* entry = place(client);
      for (const Entry* end = entry + operations_max_each_; entry != end && entry->invoked_ns != 0; ++entry) {
        const std::int64_t returned_ns = entry->returned_ns.load(std::memory_order_acquire);
        history.push_back({client, entry->call, entry->invoked_ns, returned_ns});
        if (returned_ns != 0) history.back().result = entry->result;
      }
    }
    return history;
  }

 private:
  /// The same clock in every process.
  static std::int64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  }
  Entry* place(std::size_t client) const { return entries_ + client * operations_max_each_; }
  std::size_t bytes() const { return clients_ * operations_max_each_ * sizeof(Entry); }

  const std::size_t clients_, operations_max_each_;
  Entry* entries_;
};

}  // namespace tandem::test
