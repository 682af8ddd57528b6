// The order of items in each type of queue.

#include <algorithm>
#include <functional>

#include "server/objects/queue.hpp"

namespace tandem::server {

// ---- FIFO, LIFO -------------------------------------------------------------------------------------------

const QueueItem& Queue::first() const {
  const bool returned =
      !returned_.empty() && (items_.empty() || returned_.begin()->first < items_.front().sequence);
  return returned ? returned_.begin()->second : items_.front();
}

QueueItem Queue::take_first() {
  if (&Queue::first() != (items_.empty() ? nullptr : &items_.front()))
    return std::move(returned_.extract(returned_.begin()).mapped());
  QueueItem item = std::move(items_.front());
  items_.pop_front();
  return item;
}

const QueueItem& LifoQueue::first() const {
  const bool returned =
      !returned_.empty() && (items_.empty() || returned_.rbegin()->first > items_.back().sequence);
  return returned ? returned_.rbegin()->second : items_.back();
}

QueueItem LifoQueue::take_first() {
  if (&LifoQueue::first() != (items_.empty() ? nullptr : &items_.back()))
    return std::move(returned_.extract(std::prev(returned_.end())).mapped());
  QueueItem item = std::move(items_.back());
  items_.pop_back();
  return item;
}

Result<void> Queue::enter(QueueItem item) {
  items_.push_back(std::move(item));
  return {};
}

void Queue::reenter(QueueItem item) {
  if (items_.empty() || item.sequence < items_.front().sequence) return items_.push_front(std::move(item));
  if (item.sequence > items_.back().sequence) return items_.push_back(std::move(item));
  const std::uint64_t sequence = item.sequence;
  returned_.emplace(sequence, std::move(item));
}

void Queue::withdraw(std::uint64_t sequence) {
  while (!items_.empty() && items_.back().sequence >= sequence) items_.pop_back();
}

void Queue::drop_all() {
  returned_.clear();
  if (!items_.empty()) drop(items_, queue_item_bytes);
}

namespace {

/// Merges two ranges in the order of `comes_before`: calls `f` for each item after the first `begin`, until
/// it returns false.
template <class Row, class Returned, class Before>
void each_of_both(Row row, Row row_end, Returned returned, Returned returned_end, std::uint64_t begin,
                  Before comes_before, const std::function<bool(const QueueItem&)>& f) {
  if (returned == returned_end) row += static_cast<std::ptrdiff_t>(std::exchange(begin, 0));
  while (row != row_end || returned != returned_end) {
    const bool from_row =
        returned == returned_end || (row != row_end && comes_before(row->sequence, returned->first));
    const QueueItem& item = from_row ? *row++ : returned++->second;
    if (begin != 0) --begin;
    else if (!f(item)) return;
  }
}

}  // namespace

void Queue::each_from(std::uint64_t begin, const OnItem& f) const {
  if (begin < count())
    each_of_both(items_.begin(), items_.end(), returned_.begin(), returned_.end(), begin, std::less<>(), f);
}

void LifoQueue::each_from(std::uint64_t begin, const OnItem& f) const {
  if (begin < count())
    each_of_both(items_.rbegin(), items_.rend(), returned_.rbegin(), returned_.rend(), begin,
                 std::greater<>(), f);
}

// ---- priority ---------------------------------------------------------------------------------------------

/// Items that cannot be compared count as equal: only returned items can be such, and they must not be lost.
bool PriorityQueue::Before::operator()(const QueueItem& a, const QueueItem& b) const {
  if (Result<bool> less = is_less(a.value, b.value); less && *less) return true;
  if (Result<bool> less = is_less(b.value, a.value); less && *less) return false;
  return a.sequence < b.sequence;
}

bool PriorityQueue::Before::operator()(const Candidate& a, const QueueItem& b) const {
  Result<bool> less = is_less(a.value, b.value);
  if (!less) *a.failure = std::move(less.failure());
  return less && *less;
}

Result<void> PriorityQueue::enter(QueueItem item) {
  std::optional<Failure> failure;
  auto behind = items_.upper_bound(Candidate{item.value, &failure});  // it has the highest sequence number
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
