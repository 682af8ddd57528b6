#pragma once
// The key locks that Locks keeps: a hash table by key, iterated in insertion order. Addresses are stable,
// since the entries contain wait queues.

#include <memory>
#include <optional>
#include <vector>

#include "server/objects/ownership.hpp"

namespace tandem::server {

struct KeyLock;

/// The requests that wait for one key.
struct KeyQueue : WaitQueue {
  explicit KeyQueue(KeyLock& of) : lock(of) {}
  KeyLock& lock;
};

struct KeyLock {
  Value key;
  std::uint32_t hash = 0;
  Ownership ownership;
  KeyQueue wait_queue{*this};
  bool is_touched = false;  // its object's serve() has to check it
  bool is_orphan = false;

  // Links to other locks that the same thread owns; of an orphan, a key kept only to report that its last owner
  // died, to the next older and the next newer orphan.
  KeyLock* next_of_owner = nullptr;
  KeyLock* previous_of_owner = nullptr;

  // For the table's own use.
  KeyLock* next_in_bucket = nullptr;
  std::size_t position = 0;
};

class LockTable {
 public:
  std::uint64_t size() const { return size_; }
  /// It depends only on the keys: not on unused capacity, which is at most a few times as much.
  std::uint64_t memory_bytes() const { return size_ * lock_bytes + keys_bytes_; }
  /// Returns the memory that one more key of this length needs.
  static std::uint64_t bytes_for(std::size_t key_bytes) {
    return lock_bytes + Value::heap_bytes_for(key_bytes);
  }

  /// Returns null if the key is absent.
  KeyLock* find(ValueView key, std::uint32_t hash) const;
  /// Adds a key, which must be absent.
  KeyLock& insert(Value key, std::uint32_t hash);
  // For loading.
  std::uint64_t last_ordinal() const { return last_ordinal_; }
  /// The ordinal of the key that is added next will be above this one.
  void continue_behind(std::uint64_t ordinal) { last_ordinal_ = ordinal; }
  std::uint64_t ordinal_of(const KeyLock& lock) const { return order_[lock.position].ordinal; }
  /// Returns null if there is none.
  KeyLock* with_ordinal(std::uint64_t ordinal) const;
  void erase(KeyLock& lock);

  /// Calls f(KeyLock&) for each lock, oldest first.
  template <class F>
  void each(F&& f) const {
    for (const Place& place : order_)
      if (place.lock) f(*place.lock);
  }
  /// Calls f(const KeyLock&) for the locks after `cursor` (0: from the start) until it returns false; returns
  /// the cursor to continue from, nullopt at the end.
  template <class F>
  std::optional<std::uint64_t> page(std::uint64_t cursor, F&& f) const {
    for (auto at = behind(cursor); at != order_.end(); ++at)
      if (at->lock && !f(*at->lock)) return at->ordinal;
    return std::nullopt;
  }

 private:
  struct Place {
    std::uint64_t ordinal = 0;      // from 1, increasing
    std::unique_ptr<KeyLock> lock;  // null: erased
  };
  // With allocation overhead, and its share of the tables.
  static constexpr std::uint64_t lock_bytes = 256;
  static_assert(sizeof(KeyLock) + 16 + 2 * (sizeof(KeyLock*) + sizeof(Place)) <= lock_bytes);
  static constexpr std::size_t spare_max = 4;
  static constexpr std::size_t kept_max = 64;  // a table this small never shrinks

  std::vector<Place>::const_iterator behind(std::uint64_t cursor) const;
  KeyLock*& bucket_of(std::uint32_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }
  void set_buckets(std::size_t count);
  void close_gaps();

  std::vector<KeyLock*> buckets_;  // heads of chains; their number is 0 or a power of two
  std::vector<Place> order_;
  std::uint64_t size_ = 0;
  std::uint64_t keys_bytes_ = 0;
  std::uint64_t last_ordinal_ = 0;
  // Avoids allocation when the same key is locked and unlocked repeatedly.
  std::vector<std::unique_ptr<KeyLock>> spare_;
};

}  // namespace tandem::server
