#pragma once
// The hosted queues: FIFO, LIFO and priority (least item first).

#include <deque>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "server/engine/dispatch.hpp"
#include "tandem/ops/queue.hpp"

namespace tandem::server {

struct QueueItem {
  Value value;
  std::uint64_t sequence = 0;  // position among all items ever put; a returned item is reinserted by it
  std::uint64_t deliveries = 0;
};
inline constexpr std::uint64_t queue_item_bytes = 32;  // without the heap memory of its value
static_assert(sizeof(QueueItem) <= queue_item_bytes);

/// The common part of the three: everything but the order of items.
///
/// Invariant between two steps: getters wait only while the queue is empty, putters only while it is full. So
/// a single item that is put while a getter of one item is first can be handed over without being stored.
class QueueObject : public Object {
 public:
  using Ops = ops::QueueOperations;
  using Limit = std::optional<std::int64_t>;

  Result<void> on(Ops::Create, CallContext&, std::optional<std::int64_t> maxsize);
  Result<Written> on(Ops::Put, CallContext&, ValueView item, Limit limit_us);
  Result<Written> on(Ops::PutMany, CallContext&, ItemsView items, Limit limit_us);
  Result<Written> on(Ops::Get, CallContext&, Limit limit_us);
  Result<Written> on(Ops::GetMany, CallContext&, std::int64_t max, Limit limit_us);
  Result<Written> on(Ops::GetLeased, CallContext&, std::int64_t max, Limit limit_us);
  Result<void> on(Ops::Done, CallContext&, ItemsView leases);
  Result<void> on(Ops::GiveBack, CallContext&, ItemsView leases);
  Result<void> on(Ops::TaskDone, CallContext&, std::optional<std::int64_t> count);
  Result<Written> on(Ops::Join, CallContext&, Limit limit_us);
  Result<void> on(Ops::Close, CallContext&, std::optional<bool> immediate);
  Result<bool> on(Ops::IsClosed, CallContext&) { return closed_; }
  Result<std::int64_t> on(Ops::Size, CallContext&) { return static_cast<std::int64_t>(size()); }
  Result<bool> on(Ops::IsFull, CallContext&) { return !has_room(); }
  Result<std::int64_t> on(Ops::MaxSize, CallContext&) { return static_cast<std::int64_t>(maxsize_); }
  Result<std::int64_t> on(Ops::Leased, CallContext&) { return static_cast<std::int64_t>(leases_.size()); }
  Result<std::int64_t> on(Ops::Unfinished, CallContext&) { return static_cast<std::int64_t>(unfinished_); }
  Result<Written> on(Ops::Page, CallContext&, std::int64_t cursor, std::int64_t limit);

  void serve(CallContext&) override;
  void on_wait_ended(CallContext&, Waiter&, WaitEnd) override;
  void owners_ended(CallContext&, const EndedOwners&) override;
  void on_destroy(CallContext&) override;
  std::optional<HoldingCursor> visit_holdings(HoldingCursor cursor,
                                              const HoldingVisitor& visit) const override;

  std::uint64_t size() const final { return count(); }
  std::uint64_t memory_bytes() const override;
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  void waiter_loaded(const Waiter& waiter) override;
  void visit_queues(const std::function<void(WaitQueue&)>& visit) override {
    for (WaitQueue* queue : {&getters_, &putters_, &joiners_}) visit(*queue);
  }
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;
  std::optional<std::uint64_t> cursor_at(std::uint64_t offset) const override { return offset; }

 protected:
  using OnItem = std::function<bool(const QueueItem&)>;

  // The items, in the order in which they are taken.
  virtual std::uint64_t count() const = 0;
  virtual const QueueItem& first() const = 0;
  virtual QueueItem take_first() = 0;
  /// Adds the newest item; type_error, without effect, if its position cannot be determined.
  virtual Result<void> enter(QueueItem item) = 0;
  /// Puts an item that was taken back in its original position.
  virtual void reenter(QueueItem item) = 0;
  /// Adds an item while the queue is loaded, in the order of each_from().
  virtual void restore(QueueItem item) = 0;
  /// Drops the items with sequence number `sequence` or later.
  virtual void withdraw(std::uint64_t sequence) = 0;
  virtual void drop_all() = 0;
  /// Calls `f` for the items from position `begin` on, until it returns false.
  virtual void each_from(std::uint64_t begin, const OnItem& f) const = 0;
  /// Memory per item, without the heap memory of its value.
  virtual std::uint64_t place_bytes() const = 0;

  /// Dropped items, for the reclaim queue. `Items` is a container.
  template <class Items>
  struct Dropped {
    std::uint64_t size() const { return items.size(); }
    std::uint64_t memory_bytes() const { return items.size() * place_bytes; }
    std::uint64_t release_some(std::uint64_t most) {
      std::uint64_t released = 0;
      for (; released < most && !items.empty(); ++released) items.erase(std::prev(items.end()));
      return released;
    }
    Items items;
    std::uint64_t place_bytes;  // per item, with its share of the values' heap memory
  };
  /// Empties `items`, the container of all items; defers a large one to the reclaim queue.
  template <class Items>
  void drop(Items& items, std::uint64_t item_bytes) {
    if (reclaim_queue_ == nullptr || !ReclaimQueue::is_large(items.size())) return items.clear();
    const std::uint64_t heap_bytes_each = heap_bytes_ / items.size();
    reclaim_queue_->defer(Dropped<Items>{std::exchange(items, Items()), item_bytes + heap_bytes_each});
  }

 private:
  enum Kind : std::uint32_t { put_one, put_several, get_one, get_several, get_leased };  // of waiters
  struct Lease {
    QueueItem item;
    Owner owner;
  };
  using Leases = std::map<std::uint64_t, Lease>;
  /// A thread that has leases, and since when it has had any.
  struct Lessee {
    std::uint64_t leases = 0;
    std::uint64_t since_ns = 0;
  };

  bool has_room() const { return maxsize_ == 0 || count() < maxsize_; }
  Result<void> add(Value value);
  QueueItem take();
  void put_back(QueueItem item);
  void finish(std::uint64_t count);
  Result<void> check_item(const CallContext& context, ValueView item) const;
  Result<Written> get(CallContext& context, Kind kind, std::int64_t max, Limit limit_us);
  void give(CallContext& context, std::uint32_t kind, Owner owner, std::uint64_t max);

  void lease(CallContext& context, Owner owner, QueueItem item);
  QueueItem end_lease(CallContext& context, Leases::iterator at);
  Result<std::vector<Leases::iterator>> leases_of(SessionId session, ItemsView ids);

  bool serve_getters(CallContext& context);
  bool serve_putters(CallContext& context);
  void answer_putter(CallContext& context, Waiter& putter, bool all);
  void end_putters(CallContext& context);
  bool more_may_come(Owner asking) const;
  void forget_values(Waiter& putter);

  std::uint64_t maxsize_ = 0;  // 0: unlimited
  bool closed_ = false;
  bool dropping_ = false;  // closed immediately: returned items are dropped
  std::uint64_t unfinished_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t next_lease_ = 1;
  std::uint64_t heap_bytes_ = 0;    // of the items
  std::uint64_t lease_bytes_ = 0;   // of leased items
  std::uint64_t parked_bytes_ = 0;  // of items of waiting putters
  Leases leases_;
  std::map<Owner, Lessee> lessees_;  // what leases_ has, by owner
  ReclaimQueue* reclaim_queue_ = nullptr;
  WaitQueue getters_;
  WaitQueue putters_;
  WaitQueue joiners_;
};

/// FIFO.
class Queue : public QueueObject {
 public:
  using Ops = ops::Queue;
  ~Queue() override { Queue::drop_all(); }

 protected:
  std::uint64_t count() const final { return items_.size() + returned_.size(); }
  const QueueItem& first() const override;
  QueueItem take_first() override;
  Result<void> enter(QueueItem item) final;
  void reenter(QueueItem item) final;
  void restore(QueueItem item) override { items_.push_back(std::move(item)); }
  void withdraw(std::uint64_t sequence) final;
  void drop_all() final;
  void each_from(std::uint64_t begin, const OnItem& f) const override;
  std::uint64_t place_bytes() const final { return queue_item_bytes; }

  // Both ordered by sequence number. A returned item may belong between any two others; a map of its own
  // avoids inserting it into the middle of a long deque.
  std::deque<QueueItem> items_;
  std::map<std::uint64_t, QueueItem> returned_;
};

/// LIFO.
class LifoQueue final : public Queue {
 public:
  using Ops = ops::LifoQueue;

 protected:
  void restore(QueueItem item) override { items_.push_front(std::move(item)); }
  const QueueItem& first() const override;
  QueueItem take_first() override;
  void each_from(std::uint64_t begin, const OnItem& f) const override;
};

/// Least item first.
class PriorityQueue final : public QueueObject {
 public:
  using Ops = ops::PriorityQueue;
  ~PriorityQueue() override { PriorityQueue::drop_all(); }

 protected:
  std::uint64_t count() const override { return items_.size(); }
  const QueueItem& first() const override { return *items_.begin(); }
  QueueItem take_first() override;
  Result<void> enter(QueueItem item) override;
  void reenter(QueueItem item) override { items_.insert(std::move(item)); }
  void restore(QueueItem item) override { items_.insert(items_.end(), std::move(item)); }
  void withdraw(std::uint64_t sequence) override;
  void drop_all() override { drop(items_, PriorityQueue::place_bytes()); }
  void each_from(std::uint64_t begin, const OnItem& f) const override;
  std::uint64_t place_bytes() const override { return queue_item_bytes + tree_node_bytes; }

 private:
  static constexpr std::uint64_t tree_node_bytes = 48;
  /// A new item whose position is looked up.
  struct Candidate {
    ValueView value;
    std::optional<Failure>* failure;  // of a comparison that cannot be made
  };
  /// A tree and not a heap: taking the first item compares nothing, so that comparison errors occur on
  /// entering only.
  struct Before {
    using is_transparent = void;
    bool operator()(const QueueItem& a, const QueueItem& b) const;
    bool operator()(const Candidate& a, const QueueItem& b) const;
  };
  std::set<QueueItem, Before> items_;
};

}  // namespace tandem::server
