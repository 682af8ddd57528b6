#pragma once
// The locks of Locks that are kept: a hash table by key whose entries stay where they are, since lines of waiters are
// among them. In the order in which the keys came.

#include <memory>
#include <optional>
#include <vector>

#include "server/objects/ownership.hpp"

namespace tandem::server {

struct KeyLock {
  Value key;
  std::uint32_t hash = 0;
  Ownership ownership;
  WaitQueue line;
  bool is_touched = false;  // to be looked at when its object is served

  // Others that the same session owns.
  KeyLock* next_of_session = nullptr;
  KeyLock* previous_of_session = nullptr;

  // The table's own.
  KeyLock* next_in_bucket = nullptr;
  std::size_t position = 0;
};

class LockTable {
 public:
  std::uint64_t size() const { return size_; }
  std::uint64_t memory_bytes() const {
    return (size_ + spare_.size()) * lock_bytes + keys_bytes_ + buckets_.capacity() * sizeof(KeyLock*) +
           order_.capacity() * sizeof(Place);
  }
  /// What one more key of this length takes.
  static std::uint64_t bytes_for(std::size_t key_bytes) {
    return lock_bytes + Value::heap_bytes_for(key_bytes);
  }

  /// Null when it is not there.
  KeyLock* find(ValueView key, std::uint32_t hash) const;
  /// Adds one that is not there yet.
  KeyLock& insert(Value key, std::uint32_t hash);
  void erase(KeyLock& lock);

  /// f(KeyLock&) for each, the oldest first.
  template <class F>
  void each(F&& f) const {
    for (const Place& place : order_)
      if (place.lock) f(*place.lock);
  }
  /// f(const KeyLock&) for those behind `cursor` (0: from the start) until it gives false; gives the cursor to go on from.
  template <class F>
  std::optional<std::uint64_t> page(std::uint64_t cursor, F&& f) const {
    for (auto at = behind(cursor); at != order_.end(); ++at)
      if (at->lock && !f(*at->lock)) return at->ordinal;
    return std::nullopt;
  }

 private:
  struct Place {
    std::uint64_t ordinal = 0;      // from 1, only grows
    std::unique_ptr<KeyLock> lock;  // null: erased
  };
  static constexpr std::uint64_t lock_bytes = sizeof(KeyLock) + 16;  // with what allocating it costs
  static constexpr std::size_t spare_max = 4;
  static constexpr std::size_t kept_max = 64;  // a table that small keeps its memory

  std::vector<Place>::const_iterator behind(std::uint64_t cursor) const;
  KeyLock*& bucket_of(std::uint32_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }
  void set_buckets(std::size_t count);
  void close_gaps();

  std::vector<KeyLock*> buckets_;  // heads of chains; a power of two of them, or none
  std::vector<Place> order_;
  std::uint64_t size_ = 0;
  std::uint64_t keys_bytes_ = 0;
  std::uint64_t last_ordinal_ = 0;
  std::vector<std::unique_ptr<KeyLock>>
      spare_;  // so that one key locked and unlocked again and again allocates nothing
};

}  // namespace tandem::server
