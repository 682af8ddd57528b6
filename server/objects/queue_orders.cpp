// Which item of a queue is the next.

#include <algorithm>

#include "server/objects/queue.hpp"

namespace tandem::server {

// ---- the oldest, the newest -------------------------------------------------------------------------------------------

const Type& Queue::type() const { return type_of<Queue>(); }
const Type& LifoQueue::type() const { return type_of<LifoQueue>(); }

QueueItem Queue::take_first() {
  QueueItem item = std::move(items_.front());
  items_.pop_front();
  return item;
}

QueueItem LifoQueue::take_first() {
  QueueItem item = std::move(items_.back());
  items_.pop_back();
  return item;
}

Result<void> Queue::enter(QueueItem item) {
  items_.push_back(std::move(item));
  return {};
}

void Queue::reenter(QueueItem item) {
  auto before = [](std::uint64_t sequence, const QueueItem& other) { return sequence < other.sequence; };
  items_.insert(std::upper_bound(items_.begin(), items_.end(), item.sequence, before), std::move(item));
}

void Queue::withdraw(std::uint64_t sequence) {
  while (!items_.empty() && items_.back().sequence >= sequence) items_.pop_back();
}

void Queue::each_from(std::uint64_t begin, const OnItem& f) const {
  for (std::uint64_t i = begin; i < items_.size(); ++i)
    if (!f(items_[i])) return;
}

void LifoQueue::each_from(std::uint64_t begin, const OnItem& f) const {
  for (std::uint64_t i = begin; i < items_.size(); ++i)
    if (!f(items_[items_.size() - 1 - i])) return;
}

// ---- the least --------------------------------------------------------------------------------------------------------

const Type& PriorityQueue::type() const { return type_of<PriorityQueue>(); }

/// What cannot be compared counts as equal: it happens to items given back alone, which are not to be lost.
bool PriorityQueue::Before::operator()(const QueueItem& a, const QueueItem& b) const {
  if (Result<bool> less = is_less(a.value, b.value); less && *less) return true;
  if (Result<bool> less = is_less(b.value, a.value); less && *less) return false;
  return a.sequence < b.sequence;
}

bool PriorityQueue::Before::operator()(const Newcomer& a, const QueueItem& b) const {
  Result<bool> less = is_less(a.value, b.value);
  if (!less) *a.failure = std::move(less.failure());
  return less && *less;
}

Result<void> PriorityQueue::enter(QueueItem item) {
  std::optional<Failure> failure;
  auto behind = items_.upper_bound(Newcomer{item.value, &failure});  // it has the highest sequence number
  if (failure) return std::move(*failure);
  items_.insert(behind, std::move(item));
  return {};
}

QueueItem PriorityQueue::take_first() {
  auto node = items_.extract(items_.begin());
  return std::move(node.value());
}

void PriorityQueue::withdraw(std::uint64_t sequence) {
  std::erase_if(items_, [&](const QueueItem& item) { return item.sequence >= sequence; });
}

void PriorityQueue::each_from(std::uint64_t begin, const OnItem& f) const {
  for (auto at = std::next(items_.begin(), static_cast<std::ptrdiff_t>(begin)); at != items_.end(); ++at)
    if (!f(*at)) return;
}

}  // namespace tandem::server
