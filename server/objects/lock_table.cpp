#include "server/objects/lock_table.hpp"

#include <algorithm>

#include "server/values/semantics.hpp"

namespace tandem::server {

KeyLock* LockTable::find(ValueView key, std::uint32_t hash) const {
  if (size_ == 0) return nullptr;
  KeyLock* lock = buckets_[hash & (buckets_.size() - 1)];
  while (lock != nullptr && !(lock->hash == hash && are_equal(lock->key, key))) lock = lock->next_in_bucket;
  return lock;
}

KeyLock& LockTable::insert(Value key, std::uint32_t hash) {
  if (size_ >= buckets_.size()) set_buckets(std::max<std::size_t>(8, buckets_.size() * 2));
  std::unique_ptr<KeyLock> made;
  if (spare_.empty()) {
    made = std::make_unique<KeyLock>();
  } else {
    made = std::move(spare_.back());
    spare_.pop_back();
  }
  KeyLock& lock = *made;
  lock.key = std::move(key);
  lock.hash = hash;
  lock.position = order_.size();
  lock.next_in_bucket = std::exchange(bucket_of(hash), &lock);
  order_.push_back({++last_ordinal_, std::move(made)});
  ++size_;
  keys_bytes_ += lock.key.heap_bytes();
  return lock;
}

void LockTable::erase(KeyLock& lock) {
  TANDEM_ASSERT(!lock.ownership.held() && lock.wait_queue.empty() && !lock.is_touched);
  KeyLock** at = &bucket_of(lock.hash);
  while (*at != &lock) at = &(*at)->next_in_bucket;
  *at = lock.next_in_bucket;
  std::unique_ptr<KeyLock> taken = std::move(order_[lock.position].lock);
  --size_;
  keys_bytes_ -= lock.key.heap_bytes();
  while (!order_.empty() && !order_.back().lock) order_.pop_back();
  if (order_.size() > kept_max && size_ < order_.size() / 2) close_gaps();
  if (order_.capacity() > kept_max && order_.size() < order_.capacity() / 8) order_.shrink_to_fit();
  if (buckets_.size() > kept_max && size_ < buckets_.size() / 8) set_buckets(buckets_.size() / 2);
  if (spare_.size() == spare_max) return;
  if (spare_.empty()) spare_.reserve(spare_max);
  lock.key = Value();
  lock.ownership = Ownership();
  spare_.push_back(std::move(taken));
}

std::vector<LockTable::Place>::const_iterator LockTable::behind(std::uint64_t cursor) const {
  return std::upper_bound(order_.begin(), order_.end(), cursor,
                          [](std::uint64_t ordinal, const Place& place) { return ordinal < place.ordinal; });
}

KeyLock* LockTable::with_ordinal(std::uint64_t ordinal) const {
  if (ordinal == 0) return nullptr;
  const auto at = behind(ordinal - 1);
  return at == order_.end() || at->ordinal != ordinal ? nullptr : at->lock.get();
}

void LockTable::set_buckets(std::size_t count) {
  std::vector<KeyLock*>(count, nullptr).swap(buckets_);
  each([&](KeyLock& lock) { lock.next_in_bucket = std::exchange(bucket_of(lock.hash), &lock); });
}

void LockTable::close_gaps() {
  std::erase_if(order_, [](const Place& place) { return !place.lock; });
  for (std::size_t i = 0; i < order_.size(); ++i) order_[i].lock->position = i;
}

}  // namespace tandem::server
