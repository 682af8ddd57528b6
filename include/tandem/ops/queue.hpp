#pragma once
// Operations of the hosted queues. Semantics are those of Python's queue.Queue, LifoQueue and PriorityQueue
// (3.13, with shutdown) and of multiprocessing.JoinableQueue. The three differ only in which item comes out
// next.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct QueueOperations {
  // `maxsize`: room for this many items; 0 or less: no limit.
  using Create = Op<0, "create(maxsize=0)", Effect::writes, void(Optional<Int>)>;
  // Operations that wait do so at most for the time limit (None: no limit; 0: does not wait).
  //
  // Returns whether it was put within the limit. closed; type_error for an item that cannot be compared.
  using Put = Op<1, "put(item, limit_us=None)", Effect::waits, Bool(Any, Optional<Int>)>;
  // Returns how many of the items were put, the first ones. Items enter at once as far as there is room, the
  // others one by one as room appears, with no other caller's items in between. closed: none was put.
  // type_error: none was put at once; if the request has waited, the text gives the number put before.
  using PutMany = Op<2, "put_many(items, limit_us=None)", Effect::waits, Int(Items, Optional<Int>)>;
  // Returns nothing if there was no item within the limit. closed: there is none and will be none.
  using Get = Op<3, "get(limit_us=None)", Effect::waits, Maybe(Optional<Int>)>;
  // Waits for the first item only; returns at most `max`, fewer if they are large.
  using GetMany = Op<4, "get_many(max, limit_us=None)", Effect::waits, Items(Int, Optional<Int>)>;
  // The same, each as [lease, deliveries, item]: the session owns the item until `done`. The item returns to
  // its old position by `give_back` or when the session ends. `deliveries` counts how often it was leased,
  // this time included.
  using GetLeased = Op<5, "get_leased(max, limit_us=None)", Effect::waits, Items(Int, Optional<Int>)>;
  // Ends all of these leases, or none if one is not the session's: not_owner. `done` counts as task_done.
  using Done = Op<6, "done(leases)", Effect::frees, void(Items)>;
  using GiveBack = Op<7, "give_back(leases)", Effect::frees, void(Items)>;
  // Marks `count` items taken without a lease as done. value_error: more than were put and are not done.
  using TaskDone = Op<8, "task_done(count=1)", Effect::frees, void(Optional<Int>)>;
  // Returns whether all items that were put were done within the limit.
  using Join = Op<9, "join(limit_us=None)", Effect::waits, Bool(Optional<Int>)>;
  // Nothing can be put any more, and gets end with `closed` once the queue is empty. `immediate` drops all
  // items, as if they were done.
  using Close = Op<10, "close(immediate=false)", Effect::frees, void(Optional<Bool>)>;
  using IsClosed = Op<11, "is_closed()", Effect::reads, Bool()>;
  // Returns the number of items that can be taken, without leased ones.
  using Size = Op<12, "size()", Effect::reads, Int()>;
  using IsFull = Op<13, "is_full()", Effect::reads, Bool()>;
  using MaxSize = Op<14, "maxsize()", Effect::reads, Int()>;  // 0: no limit
  using Leased = Op<15, "leased()", Effect::reads, Int()>;
  using Unfinished = Op<16, "unfinished()", Effect::reads, Int()>;  // put and not done
  // For inspection: returns the next cursor, -1 at the end, and at most `limit` items, in the order in which
  // they would come out, from position `cursor` on.
  using Page = Op<17, "page(cursor, limit)", Effect::reads, Tuple<Int, Items>(Int, Int)>;

  using All = OpList<Create, Put, PutMany, Get, GetMany, GetLeased, Done, GiveBack, TaskDone, Join, Close,
                     IsClosed, Size, IsFull, MaxSize, Leased, Unfinished, Page>;
};

/// Oldest first.
struct Queue : QueueOperations {
  static constexpr std::string_view type = "queue";
  static constexpr std::uint8_t number = 17;
};
/// Newest first.
struct LifoQueue : QueueOperations {
  static constexpr std::string_view type = "lifo_queue";
  static constexpr std::uint8_t number = 18;
};
/// Least first, by Python's `<`; oldest first among equal ones.
struct PriorityQueue : QueueOperations {
  static constexpr std::string_view type = "priority_queue";
  static constexpr std::uint8_t number = 19;
};

}  // namespace tandem::ops
