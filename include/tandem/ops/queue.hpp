#pragma once
// Operations of the hosted queues. Semantics are those of Python's queue.Queue, LifoQueue and PriorityQueue (3.13, with
// shutdown) and of multiprocessing.JoinableQueue. They differ in one thing only: which item comes out next.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct QueueOperations {
  // Room for so many items; without a limit if it is 0 or less.
  using Create = Op<0, "create(maxsize=0)", Effect::writes, void(Optional<Int>)>;
  // Operations that wait do so for the time limit at most (none: for ever; 0: not at all).
  //
  // Whether it was put within the limit. closed; type_error for a priority that cannot be compared.
  using Put = Op<1, "put(item, limit_us=None)", Effect::waits, Bool(Any, Optional<Int>)>;
  // How many of them were put, the first ones: as many as there is room for enter at once, the others one by one as
  // room comes; nobody else's get in between. closed, type_error: none was put in this step.
  using PutMany = Op<2, "put_many(items, limit_us=None)", Effect::waits, Int(Items, Optional<Int>)>;
  // Nothing: there was none within the limit. closed: and there will be none.
  using Get = Op<3, "get(limit_us=None)", Effect::waits, Maybe(Optional<Int>)>;
  // Waits for the first only; gives at most so many. Fewer than there are when they are large.
  using GetMany = Op<4, "get_many(max, limit_us=None)", Effect::waits, Items(Int, Optional<Int>)>;
  // The same, each as [lease, deliveries, item]: the item is the session's until `done`. It returns to where it stood
  // by `give_back` or when the session ends. `deliveries` counts how often it was given out so, this time included.
  using GetLeased = Op<5, "get_leased(max, limit_us=None)", Effect::waits, Items(Int, Optional<Int>)>;
  // All of these leases or, if one is not the session's, none: not_owner. `done` counts as task_done of each.
  using Done = Op<6, "done(leases)", Effect::frees, void(Items)>;
  using GiveBack = Op<7, "give_back(leases)", Effect::frees, void(Items)>;
  // So many items that were got, without a lease, are done with. value_error: more than were put and are not done.
  using TaskDone = Op<8, "task_done(count=1)", Effect::frees, void(Optional<Int>)>;
  // Whether all items that were put were done with within the limit.
  using Join = Op<9, "join(limit_us=None)", Effect::waits, Bool(Optional<Int>)>;
  // Nothing can be put any more, and gets end with `closed` once it is empty; at once and with all items dropped, as if
  // they were done with, if `immediate`.
  using Close = Op<10, "close(immediate=false)", Effect::frees, void(Optional<Bool>)>;
  using IsClosed = Op<11, "is_closed()", Effect::reads, Bool()>;
  // Items that can be got; those leased are not among them.
  using Size = Op<12, "size()", Effect::reads, Int()>;
  using IsFull = Op<13, "is_full()", Effect::reads, Bool()>;
  using MaxSize = Op<14, "maxsize()", Effect::reads, Int()>;  // 0: no limit
  using Leased = Op<15, "leased()", Effect::reads, Int()>;
  using Unfinished = Op<16, "unfinished()", Effect::reads, Int()>;  // put, and not done with
  // For people who look in: items in the order in which they would come, from the `cursor`th on, at most `limit`; and
  // the cursor to go on from, -1 at the end.
  using Page = Op<17, "page(cursor, limit)", Effect::reads, Tuple<Int, Items>(Int, Int)>;

  using All = OpList<Create, Put, PutMany, Get, GetMany, GetLeased, Done, GiveBack, TaskDone, Join, Close,
                     IsClosed, Size, IsFull, MaxSize, Leased, Unfinished, Page>;
};

/// The oldest first.
struct Queue : QueueOperations {
  static constexpr std::string_view type = "queue";
  static constexpr std::uint8_t number = 17;
};
/// The newest first.
struct LifoQueue : QueueOperations {
  static constexpr std::string_view type = "lifo_queue";
  static constexpr std::uint8_t number = 18;
};
/// The least first by Python's `<`; the oldest of those that are equal.
struct PriorityQueue : QueueOperations {
  static constexpr std::string_view type = "priority_queue";
  static constexpr std::uint8_t number = 19;
};

}  // namespace tandem::ops
