#pragma once
// Queue<T>, LifoQueue<T>, PriorityQueue<T>: items that processes hand to each other. The oldest comes out first, or the
// newest, or the least by Python's `<` (the oldest of equal ones). Queue<> takes items of any kind, as nlohmann::json.
//
//   Python (queue, multiprocessing)   here
//   q.put(x)                          q.put(x)                          waits while it is full; Closed
//   q.put(x, timeout=s)               q.put_for(x, limit), q.put_until(x, time) → bool
//   q.put_nowait(x), queue.Full       q.try_put(x) → bool
//   -                                 q.put_many(range) → how many      also put_many_for, try_put_many
//   q.get()                           q.get() → T                       waits while it is empty; Closed
//   q.get(timeout=s)                  q.get_for(limit), q.get_until(time) → optional<T>
//   q.get_nowait(), queue.Empty       q.try_get() → optional<T>
//   -                                 q.get_many(n) → vector<T>         waits for one; also get_many_for, try_get_many
//   -                                 q.put(x, stop_token) → bool, q.get(stop_token) → optional<T>
//   q.qsize(), q.empty(), q.full()    q.size(), q.empty(), q.full(), q.maxsize()
//   q.task_done(), q.join()           q.task_done(), q.join(), q.join_for(limit) → bool     ValueError
//   q.shutdown()                      q.close()                         what is inside can still be got
//   q.shutdown(immediate=True)        q.close(tandem::immediate)        what is inside is dropped
//   for x in iter(q.get, marker)      for (auto& x : q)                 takes items until q is closed and empty
//   -                                 q.get_leased() → Lease<T>         comes back unless done() is said: lease.hpp
//   -                                 q.version(), q.wait_for_change(since)            container.hpp
//
// Unlike multiprocessing.Queue there is no feeder thread: an item is in the queue, for all to get, when put() returns.
//
// Who waits is served in the order of arrival, putters and getters alike, and nobody overtakes: a batch goes in before
// what later callers put. An item is given to one getter only. A getter that dies with an item in its hands has it, so
// it is gone: where that matters, take it on lease. A proxy put into a queue is a reference and keeps its object alive,
// also on its way; take it out by get<Dict<>>() where the queue is untyped.

#include <memory>
#include <optional>
#include <vector>

#include "tandem/call/wait.hpp"
#include "tandem/ops/queue.hpp"
#include "tandem/proxy/container.hpp"
#include "tandem/proxy/lease.hpp"

namespace tandem {

/// How close() closes: q.close(tandem::immediate).
enum class Closing : bool { draining = false, immediate = true };
inline constexpr Closing immediate = Closing::immediate;

/// What the three have in common. `Ops`: ops::Queue, ops::LifoQueue or ops::PriorityQueue.
template <class T, class Ops>
class BasicQueue : public Container {
  using Do = ops::QueueOperations;
  using Stop = std::stop_token;

 public:
  using Operations = Ops;
  static constexpr std::uint8_t type_number = Operations::number;
  using value_type = T;
  using Item = client::In<T>;
  using Items = client::ItemsIn<T>;
  class iterator;

  BasicQueue() = default;
  using Container::Container;

  // Putting. All of these throw Closed once the queue is closed, also when they are waiting; TypeError, and nothing is
  // put, where a PriorityQueue cannot compare the item with those inside; ResourceExhausted.

  void put(Item item) const { put_within(item, client::no_limit); }
  /// These give whether it was put.
  bool put(Item item, const Stop& stop) const { return put_within(item, client::no_limit, stop); }
  bool put_for(Item item, For limit, const Stop& stop = {}) const { return put_within(item, limit, stop); }
  bool put_until(Item item, Until end, const Stop& stop = {}) const { return put_within(item, end, stop); }
  bool try_put(Item item) const { return put_within(item, client::at_once); }

  /// A batch, in its order; one round trip. What there is room for enters in one step, the rest as room comes, so a
  /// batch may be larger than the queue. Gives how many were put: all of them, unless a limit ran out, a stop was
  /// requested or the queue was closed meanwhile. While it waits, the manager holds the whole batch in memory.
  std::size_t put_many(Items items, const Stop& stop = {}) const {
    return put_many_within(items, client::no_limit, stop);
  }
  std::size_t put_many_for(Items items, For limit, const Stop& stop = {}) const {
    return put_many_within(items, limit, stop);
  }
  std::size_t put_many_until(Items items, Until end, const Stop& stop = {}) const {
    return put_many_within(items, end, stop);
  }
  std::size_t try_put_many(Items items) const { return put_many_within(items, client::at_once); }

  // Getting. All of these throw Closed once the queue is closed and empty, and, where it waits, no item that somebody
  // else has on lease may come back. `R`: another type to read the item as; an item that cannot be read so (TypeError)
  // is out of the queue nevertheless, unless it was taken on lease.

  template <class R = T>
  R get() const {
    return std::move(*get_within<R>(client::no_limit));
  }
  template <class R = T>
  std::optional<R> get(const Stop& stop) const {
    return get_within<R>(client::no_limit, stop);
  }
  template <class R = T>
  std::optional<R> get_for(For limit, const Stop& stop = {}) const {
    return get_within<R>(limit, stop);
  }
  template <class R = T>
  std::optional<R> get_until(Until end, const Stop& stop = {}) const {
    return get_within<R>(end, stop);
  }
  template <class R = T>
  std::optional<R> try_get() const {
    return get_within<R>(client::at_once);
  }

  /// Waits for one item, and takes what is there then, at most `max` (ValueError: less than 1). Large items make it
  /// fewer: about a mebibyte comes at once. None: a limit ran out, or a stop was requested.
  template <class R = T>
  std::vector<R> get_many(std::size_t max, const Stop& stop = {}) const {
    return get_many_within<R>(max, client::no_limit, stop);
  }
  template <class R = T>
  std::vector<R> get_many_for(std::size_t max, For limit, const Stop& stop = {}) const {
    return get_many_within<R>(max, limit, stop);
  }
  template <class R = T>
  std::vector<R> get_many_until(std::size_t max, Until end, const Stop& stop = {}) const {
    return get_many_within<R>(max, end, stop);
  }
  template <class R = T>
  std::vector<R> try_get_many(std::size_t max) const {
    return get_many_within<R>(max, client::at_once);
  }

  /// Takes items one by one, waiting for each, until the queue is closed and empty:
  /// `for (auto& item : queue)`. What is taken is taken, also when the loop ends early.
  iterator begin() const { return iterator(*this); }
  iterator end() const { return {}; }

  // On lease (lease.hpp).

  template <class R = T>
  Lease<R> get_leased() const {
    return std::move(*get_leased_within<R>(client::no_limit));
  }
  template <class R = T>
  std::optional<Lease<R>> get_leased(const Stop& stop) const {
    return get_leased_within<R>(client::no_limit, stop);
  }
  template <class R = T>
  std::optional<Lease<R>> get_leased_for(For limit, const Stop& stop = {}) const {
    return get_leased_within<R>(limit, stop);
  }
  template <class R = T>
  std::optional<Lease<R>> get_leased_until(Until end, const Stop& stop = {}) const {
    return get_leased_within<R>(end, stop);
  }
  template <class R = T>
  std::optional<Lease<R>> try_get_leased() const {
    return get_leased_within<R>(client::at_once);
  }
  /// As get_many; each with a lease of its own.
  template <class R = T>
  std::vector<Lease<R>> get_many_leased(std::size_t max, const Stop& stop = {}) const {
    return get_many_leased_within<R>(max, client::no_limit, stop);
  }
  template <class R = T>
  std::vector<Lease<R>> get_many_leased_for(std::size_t max, For limit, const Stop& stop = {}) const {
    return get_many_leased_within<R>(max, limit, stop);
  }
  template <class R = T>
  std::vector<Lease<R>> try_get_many_leased(std::size_t max) const {
    return get_many_leased_within<R>(max, client::at_once);
  }
  /// All of these leases of this queue, in one round trip; those that have ended are passed over. NotOwner, and none of
  /// them is done: see Lease::done().
  template <class R>
  void done(std::vector<Lease<R>>& leases) const {
    end_leases<Do::Done>(leases);
  }
  template <class R>
  void give_back(std::vector<Lease<R>>& leases) const {
    end_leases<Do::GiveBack>(leases);
  }

  /// So many items that were got are done with, as join() counts them. Not for those on lease, whose done() says so.
  /// ValueError: more than were put and are not done.
  void task_done(std::size_t count = 1) const { call<Do::TaskDone>(count); }
  /// Waits until each item that was put is done with.
  void join() const { join_within(client::no_limit); }
  /// These give whether it came to that.
  bool join(const Stop& stop) const { return join_within(client::no_limit, stop); }
  bool join_for(For limit, const Stop& stop = {}) const { return join_within(limit, stop); }
  bool join_until(Until end, const Stop& stop = {}) const { return join_within(end, stop); }

  /// For ever. Whoever waits to put gets Closed; whoever waits to get does when there is nothing left to be got. With
  /// `immediate` all items are dropped, as if they were done with, and those on lease do not come back any more.
  void close(Closing how = Closing::draining) const { call<Do::Close>(how == Closing::immediate); }
  bool is_closed() const { return call<Do::IsClosed, bool>(); }

  /// Items that can be got now; those on lease are not among them.
  std::size_t size() const { return call<Do::Size, std::size_t>(); }
  bool empty() const { return size() == 0; }
  /// Whether a put would wait. Items that are given back find room also where there is none.
  bool full() const { return call<Do::IsFull, bool>(); }
  /// 0: none.
  std::size_t maxsize() const { return call<Do::MaxSize, std::size_t>(); }
  /// Items on lease.
  std::size_t leased() const { return call<Do::Leased, std::size_t>(); }
  /// Items put and not done with, as join() counts them.
  std::size_t unfinished() const { return call<Do::Unfinished, std::size_t>(); }

 private:
  bool put_within(const Item& item, client::WaitLimit limit, const Stop& stop = {}) const {
    return call_and_wait<Do::Put, bool>(limit, stop, item);
  }
  std::size_t put_many_within(const Items& items, client::WaitLimit limit, const Stop& stop = {}) const {
    return call_and_wait<Do::PutMany, std::size_t>(limit, stop, items);
  }
  template <class R>
  std::optional<R> get_within(client::WaitLimit limit, const Stop& stop = {}) const {
    return call_and_wait<Do::Get, std::optional<R>>(limit, stop);
  }
  template <class R>
  std::vector<R> get_many_within(std::size_t max, client::WaitLimit limit, const Stop& stop = {}) const {
    return call_and_wait<Do::GetMany, std::vector<R>>(limit, stop, max);
  }
  template <class R>
  std::optional<Lease<R>> get_leased_within(client::WaitLimit limit, const Stop& stop = {}) const {
    std::vector<Lease<R>> leases = get_many_leased_within<R>(1, limit, stop);
    if (leases.empty()) return std::nullopt;
    return std::move(leases.front());
  }
  template <class R>
  std::vector<Lease<R>> get_many_leased_within(std::size_t max, client::WaitLimit limit,
                                               const Stop& stop = {}) const {
    auto granted = call_and_wait<Do::GetLeased, client::GrantedLeases<R>>(limit, stop, max);
    if (granted.error) {
      client::call_with_leases<Do::GiveBack>(*remote(), granted.ids);
      std::rethrow_exception(granted.error);
    }
    std::vector<Lease<R>> leases;
    leases.reserve(granted.ids.size());
    for (std::size_t i = 0; i < granted.ids.size(); ++i)
      leases.emplace_back(remote(), granted.ids[i], granted.deliveries[i], std::move(granted.items[i]));
    return leases;
  }
  template <class Op, class R>
  void end_leases(std::vector<Lease<R>>& leases) const {
    std::vector<std::int64_t> ids;
    for (const Lease<R>& lease : leases)
      if (lease) ids.push_back(lease.id());
    call<Op>(client::items_of<std::int64_t>(ids));
    for (Lease<R>& lease : leases) lease.forget();
  }
  bool join_within(client::WaitLimit limit, const Stop& stop = {}) const {
    return call_and_wait<Do::Join, bool>(limit, stop);
  }
};

template <class T, class Ops>
class BasicQueue<T, Ops>::iterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using iterator_category = std::input_iterator_tag;
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using reference = T&;
  using pointer = T*;

  iterator() = default;  // the end
  explicit iterator(const BasicQueue& queue) : state_(std::make_shared<State>(queue)) { ++*this; }

  reference operator*() const { return *state_->item; }
  pointer operator->() const { return &*state_->item; }
  iterator& operator++() {
    try {
      state_->item = state_->queue.get();
    } catch (const Closed&) {
      state_.reset();
    }
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const iterator& a, const iterator& b) { return a.state_ == b.state_; }

 private:
  struct State {
    explicit State(const BasicQueue& from) : queue(from) {}
    BasicQueue queue;
    std::optional<T> item{};
  };
  std::shared_ptr<State> state_;  // shared by copies, as those of std::istream_iterator share their stream
};

template <class T = nlohmann::json>
using Queue = BasicQueue<T, ops::Queue>;
template <class T = nlohmann::json>
using LifoQueue = BasicQueue<T, ops::LifoQueue>;
template <class T = nlohmann::json>
using PriorityQueue = BasicQueue<T, ops::PriorityQueue>;

}  // namespace tandem
