#include "server/engine/waits.hpp"

#include <algorithm>

#include "server/engine/object.hpp"

namespace tandem::server {

// ---- wait queue -------------------------------------------------------------------------------------------

void WaitQueue::push_back(Waiter& waiter) {
  TANDEM_ASSERT(waiter.wait_queue_ == nullptr);
  waiter.wait_queue_ = this;
  waiter.before_ = back_;
  waiter.behind_ = nullptr;
  (back_ == nullptr ? front_ : back_->behind_) = &waiter;
  back_ = &waiter;
  ++size_;
}

void WaitQueue::remove(Waiter& waiter) {
  WaitQueue* queue = std::exchange(waiter.wait_queue_, nullptr);
  if (queue == nullptr) return;
  (waiter.before_ == nullptr ? queue->front_ : waiter.before_->behind_) = waiter.behind_;
  (waiter.behind_ == nullptr ? queue->back_ : waiter.behind_->before_) = waiter.before_;
  waiter.before_ = waiter.behind_ = nullptr;
  --queue->size_;
}

// ---- all waiters ------------------------------------------------------------------------------------------

Waiter& Waits::park(WaitQueue& queue, Object& object, Owner owner, std::uint16_t operation,
                    std::uint64_t now_ns, std::uint64_t deadline_ns) {
  auto made = std::make_unique<Waiter>();
  Waiter& waiter = *made;
  waiter.ticket = next_ticket_++;
  waiter.owner = owner;
  waiter.operation = operation;
  waiter.since_ns = now_ns;
  by_ticket_.emplace_hint(by_ticket_.end(), waiter.ticket, std::move(made));
  set_deadline(waiter, deadline_ns);
  enter(waiter, queue, object);
  return waiter;
}

Waiter& Waits::restore(std::unique_ptr<Waiter> made, WaitQueue& queue, Object& object) {
  Waiter& waiter = *made;
  const std::uint64_t deadline_ns = std::exchange(waiter.deadline_ns, never_ns);
  by_ticket_.emplace(waiter.ticket, std::move(made));
  if (waiter.sent_as.lane != 0) set_sent_as(waiter, waiter.sent_as);
  set_deadline(waiter, deadline_ns);
  enter(waiter, queue, object);
  return waiter;
}

void Waits::enter(Waiter& waiter, WaitQueue& queue, Object& object) {
  waiter.object = &object;
  waiter.may_be_blocked_ = &queue != &object.watchers_ && object.has_blockers();
  by_owner_.insert(key_of(waiter));
  queue.push_back(waiter);
  waiter.previous_of_object_ = nullptr;
  waiter.next_of_object_ = object.first_waiter_;
  if (object.first_waiter_ != nullptr) object.first_waiter_->previous_of_object_ = &waiter;
  object.first_waiter_ = &waiter;
  ++object.waiters_;
}

void Waits::leave(Waiter& waiter) {
  Object& object = *waiter.object;
  WaitQueue::remove(waiter);
  by_owner_.erase(key_of(waiter));
  Waiter* const previous = waiter.previous_of_object_;
  Waiter* const next = waiter.next_of_object_;
  (previous == nullptr ? object.first_waiter_ : previous->next_of_object_) = next;
  if (next != nullptr) next->previous_of_object_ = previous;
  --object.waiters_;
}

void Waits::move(Waiter& waiter, WaitQueue& queue, Object& object) {
  leave(waiter);
  enter(waiter, queue, object);
}

void Waits::set_deadline(Waiter& waiter, std::uint64_t deadline_ns) {
  if (waiter.deadline_ns != never_ns) deadlines_.erase({waiter.deadline_ns, waiter.ticket});
  waiter.deadline_ns = deadline_ns;
  if (deadline_ns != never_ns) deadlines_.emplace(deadline_ns, waiter.ticket);
}

void Waits::set_sent_as(Waiter& waiter, LaneRequest sent_as) {
  waiter.sent_as = sent_as;
  by_request_[{waiter.owner.session, sent_as}] = waiter.ticket;
}

void Waits::remove(Waiter& waiter) {
  set_deadline(waiter, never_ns);
  if (waiter.sent_as.lane != 0) [[unlikely]]
    by_request_.erase({waiter.owner.session, waiter.sent_as});
  leave(waiter);
  // Extracted from the table first: its values release references in the registry when they are destroyed.
  auto node = by_ticket_.extract(waiter.ticket);
}

Waiter* Waits::find(Ticket ticket) {
  auto found = by_ticket_.find(ticket);
  return found == by_ticket_.end() ? nullptr : found->second.get();
}

Waiter* Waits::first_due(std::uint64_t now_ns) {
  return next_deadline_ns() <= now_ns && !deadlines_.empty() ? find(deadlines_.begin()->second) : nullptr;
}

Waiter* Waits::first_of(const EndedOwners& owners) {
  auto at = by_owner_.lower_bound({owners.first(), false, 0});
  return at != by_owner_.end() && owners.includes(at->owner) ? find(at->ticket) : nullptr;
}

std::vector<Ticket> Waits::tickets_of(SessionId session, LaneId lane) const {
  std::vector<Ticket> tickets;
  for (auto at = by_request_.lower_bound({session, {lane, 0}});
       at != by_request_.end() && at->first.first == session && at->first.second.lane == lane; ++at)
    tickets.push_back(at->second);
  std::sort(tickets.begin(), tickets.end());
  return tickets;
}

const Waiter* Waits::find(SessionId session, LaneRequest sent_as) const {
  const auto found = by_request_.find({session, sent_as});
  return found == by_request_.end() ? nullptr : find(found->second);
}

std::vector<Ticket> Waits::tickets_of(const Object& object) const {
  std::vector<Ticket> tickets;
  tickets.reserve(object.waiters_);
  for (const Waiter* at = object.first_waiter_; at != nullptr; at = at->next_of_object_)
    tickets.push_back(at->ticket);
  std::sort(tickets.begin(), tickets.end());
  return tickets;
}

// ---- holdings ---------------------------------------------------------------------------------------------

void Holdings::enter_newest() const {
  if (newest_.count == 0) return;
  by_session_[newest_.session][newest_.part][newest_.object] += newest_.count;
  newest_ = {};
}

void Holdings::remove_entered(SessionId session, std::uint64_t part, ObjectId object, std::uint64_t count) {
  enter_newest();
  IdTable<Held>* parts = by_session_.find(session);
  Held* held = parts == nullptr ? nullptr : parts->find(part);
  std::uint64_t* held_of_it = held == nullptr ? nullptr : held->find(object);
  if (held_of_it == nullptr) return;
  TANDEM_ASSERT(*held_of_it >= count);
  *held_of_it -= count;
  if (*held_of_it != 0) return;
  held->erase(object);
  if (held->size() == 0 && parts->size() > empty_kept_max) parts->erase(part);
}

std::vector<ObjectId> Holdings::of(const EndedOwners& owners) const {
  std::vector<ObjectId> objects;
  auto take = [&](const Held& held) {
    held.each([&](ObjectId object, std::uint64_t) { objects.push_back(object); });
  };
  if (!owners.is_whole_session()) {
    each_of(owners.first(), [&](ObjectId object) { objects.push_back(object); });
  } else {
    enter_newest();
    if (const IdTable<Held>* parts = by_session_.find(owners.session))
      parts->each([&](std::uint64_t, const Held& held) { take(held); });
  }
  std::sort(objects.begin(), objects.end());
  objects.erase(std::unique(objects.begin(), objects.end()), objects.end());
  return objects;
}

std::vector<Holdings::Holding> Holdings::all() const {
  enter_newest();
  std::vector<Holding> holdings;
  by_session_.each([&](SessionId session, const IdTable<Held>& parts) {
    parts.each([&](std::uint64_t part, const Held& held) {
      held.each([&](ObjectId object, std::uint64_t count) {
        holdings.push_back({session, part, object, count});
      });
    });
  });
  std::sort(holdings.begin(), holdings.end());
  return holdings;
}

void Holdings::forget(const EndedOwners& owners) {
  enter_newest();
  if (owners.is_whole_session()) {
    by_session_.erase(owners.session);
  } else if (IdTable<Held>* parts = by_session_.find(owners.session)) {
    parts->erase(part_of(owners.first()));
  }
}

// ---- tokens -----------------------------------------------------------------------------------------------

std::vector<std::uint64_t> Tokens::all() const {
  std::vector<std::uint64_t> tokens;
  live_.each([&](std::uint64_t token, Nothing) { tokens.push_back(token); });
  if (newest_ != 0) tokens.push_back(newest_);
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

}  // namespace tandem::server
