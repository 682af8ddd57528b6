#include "server/structures/value_rope.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "server/values/result.hpp"

namespace tandem::server {

void ValueRope::Sums::add(const Sums& other) {
  items += other.items;
  cell_bytes += other.cell_bytes;
  heap_bytes += other.heap_bytes;
  encoded_bytes += other.encoded_bytes;
}

void ValueRope::Sums::subtract(const Sums& other) {
  items -= other.items;
  cell_bytes -= other.cell_bytes;
  heap_bytes -= other.heap_bytes;
  encoded_bytes -= other.encoded_bytes;
}

ValueRope::Sums ValueRope::sums_of(const Value& value) {
  return {1, cell_bytes_of(value), value.heap_bytes(), value.encoded_bytes()};
}

ValueRope::~ValueRope() {
  if (ReclaimQueue* reclaim_queue = std::exchange(reclaim_queue_, nullptr);
      reclaim_queue != nullptr && ReclaimQueue::is_large(size()))
    reclaim_queue->defer(std::move(*this));
  while (release_some(~std::uint64_t{0}) != 0) {
  }
}

std::uint64_t ValueRope::release_some(std::uint64_t most) {
  reclaim_queue_ = nullptr;
  std::uint64_t released = 0;
  while (released < most && !groups_.empty()) {
    std::vector<Chunk>& chunks = groups_.back().chunks;
    sums_.subtract(chunks.back().sums);
    released += chunks.back().count + 1u;
    destroy(chunks.back());
    chunks.pop_back();
    if (chunks.empty()) groups_.pop_back();
  }
  return released;
}

std::uint64_t ValueRope::capacity_bytes() const {
  std::uint64_t bytes = groups_.capacity() * sizeof(Group) + before_group_.capacity() * sizeof(std::uint64_t);
  for (const Group& group : groups_) {
    bytes += group.chunks.capacity() * sizeof(Chunk);
    for (const Chunk& chunk : group.chunks) bytes += std::uint64_t{chunk.capacity} * chunk.width;
  }
  return bytes;
}

void ValueRope::swap(ValueRope& other) noexcept {
  std::swap(groups_, other.groups_);
  std::swap(sums_, other.sums_);
  std::swap(moved_, other.moved_);
  std::swap(reclaim_queue_, other.reclaim_queue_);
  forget_from(0);
  other.forget_from(0);
}

// ---- one chunk --------------------------------------------------------------------------------------------

ValueRope::Chunk ValueRope::make_chunk(std::uint32_t capacity, std::uint32_t width, std::uint32_t begin) {
  Chunk made;
  made.cells = static_cast<std::uint8_t*>(std::malloc(std::size_t{capacity} * width));
  if (made.cells == nullptr) throw std::bad_alloc();
  made.capacity = static_cast<std::uint16_t>(capacity);
  made.width = static_cast<std::uint16_t>(width);
  made.begin = static_cast<std::uint16_t>(begin);
  return made;
}

void ValueRope::destroy(Chunk& chunk) {
  if (chunk.width == sizeof(Value))
    for (std::uint32_t i = chunk.count; i != 0; --i) (void)take_cell(chunk, i - 1);
  std::free(chunk.cells);
}

Value ValueRope::take_cell(Chunk& chunk, std::uint32_t i) {
  if (chunk.width != sizeof(Value)) return Value::in_place(chunk.view(i).bytes);
  auto* value = reinterpret_cast<Value*>(chunk.cell(i));
  Value taken = std::move(*value);
  value->~Value();
  return taken;
}

void ValueRope::put_cell(Chunk& chunk, std::uint32_t i, Value&& value) {
  std::uint8_t* cell = chunk.cell(i);
  if (chunk.width == sizeof(Value)) {
    new (cell) Value(std::move(value));
    return;
  }
  const wire::Bytes bytes = value.view().bytes;
  std::memcpy(cell, bytes.data(), bytes.size());
  cell[narrow_bytes_max] = static_cast<std::uint8_t>(bytes.size());
}

/// Reallocates the chunk's cells and moves its items to the beginning.
void ValueRope::rebuild(Chunk& chunk, std::uint32_t capacity, std::uint32_t width) {
  Chunk made = make_chunk(capacity, width, 0);
  made.count = chunk.count;
  made.sums = chunk.sums;
  // A Value may be moved by moving its bytes.
  if (width == chunk.width) std::memcpy(made.cells, chunk.cell(0), std::size_t{chunk.count} * width);
  else
    for (std::uint32_t i = 0; i < chunk.count; ++i) put_cell(made, i, take_cell(chunk, i));
  std::free(chunk.cells);
  chunk = made;
  moved_ += chunk.count;
}

void ValueRope::slide(Chunk& chunk, std::uint32_t begin) {
  std::memmove(chunk.cells + std::size_t{begin} * chunk.width, chunk.cell(0),
               std::size_t{chunk.count} * chunk.width);
  chunk.begin = static_cast<std::uint16_t>(begin);
  moved_ += chunk.count;
}

/// Makes a gap before item `i` of a chunk that has room at one end at least.
void ValueRope::open_gap(Chunk& chunk, std::uint32_t i) {
  const std::uint32_t behind = chunk.count - i;
  const auto room_behind = [&] {
    return static_cast<std::uint32_t>(chunk.capacity - chunk.begin - chunk.count);
  };
  bool forward = i >= behind;  // the shorter side is moved
  // If the end at which an item is inserted has no room, all room is moved there, for later insertions too.
  if (behind == 0 && room_behind() == 0) slide(chunk, 0);
  else if (i == 0 && behind != 0 && chunk.begin == 0) slide(chunk, room_behind());
  if (forward && room_behind() == 0) forward = false;
  if (!forward && chunk.begin == 0) forward = true;
  if (forward) {
    std::memmove(chunk.cell(i + 1), chunk.cell(i), std::size_t{behind} * chunk.width);
    moved_ += behind;
  } else {
    std::uint8_t* first = chunk.cell(0);
    std::memmove(first - chunk.width, first, std::size_t{i} * chunk.width);
    --chunk.begin;
    moved_ += i;
  }
  ++chunk.count;
}

void ValueRope::close_gap(Chunk& chunk, std::uint32_t i) {
  const std::uint32_t behind = chunk.count - i - 1u;
  if (i < behind) {
    std::memmove(chunk.cell(1), chunk.cell(0), std::size_t{i} * chunk.width);
    ++chunk.begin;
    moved_ += i;
  } else {
    std::memmove(chunk.cell(i), chunk.cell(i + 1), std::size_t{behind} * chunk.width);
    moved_ += behind;
  }
  --chunk.count;
}

/// Moves the last `count` items of one chunk to the end of another, which has room for them.
void ValueRope::move_end(Chunk& from, std::uint32_t count, Chunk& to) {
  const std::uint32_t first = from.count - count;
  for (std::uint32_t i = first; i < from.count; ++i) {
    Value value = take_cell(from, i);
    const Sums sums = sums_of(value);
    from.sums.subtract(sums);
    to.sums.add(sums);
    put_cell(to, to.count++, std::move(value));
  }
  from.count = static_cast<std::uint16_t>(first);
  moved_ += count;
}

// ---- places -----------------------------------------------------------------------------------------------

/// Discards the cached positions of this group and those after it.
void ValueRope::forget_from(std::size_t group) const {
  counted_ = std::min(counted_, group);
  seen_.chunk = nullptr;
}

ValueRope::Place ValueRope::place_of(std::uint64_t position) const {
  TANDEM_ASSERT(position < size());
  const std::vector<Chunk>& last_chunks = groups_.back().chunks;
  const std::uint64_t before_last = size() - last_chunks.back().count;
  if (position >= before_last)
    return {groups_.size() - 1, last_chunks.size() - 1, static_cast<std::uint32_t>(position - before_last)};
  before_group_.resize(groups_.size());
  if (counted_ == 0) before_group_[counted_++] = 0;
  while (counted_ < groups_.size()) {
    const std::uint64_t before = before_group_[counted_ - 1] + groups_[counted_ - 1].sums.items;
    if (before > position) break;
    before_group_[counted_++] = before;
  }
  const auto counted_end = before_group_.begin() + static_cast<std::ptrdiff_t>(counted_);
  const auto group = static_cast<std::size_t>(std::upper_bound(before_group_.begin(), counted_end, position) -
                                              before_group_.begin()) -
                     1;
  position -= before_group_[group];
  const std::vector<Chunk>& chunks = groups_[group].chunks;
  std::size_t chunk = 0;
  for (; position >= chunks[chunk].count; ++chunk) position -= chunks[chunk].count;
  return {group, chunk, static_cast<std::uint32_t>(position)};
}

void ValueRope::look_for(std::uint64_t position) const {
  const Place place = place_of(position);
  seen_.chunk = &groups_[place.group].chunks[place.chunk];
  seen_.first = position - place.item;
}

// ---- chunks and groups ------------------------------------------------------------------------------------

void ValueRope::insert_chunk(std::size_t group, std::size_t chunk, Chunk made) {
  std::vector<Chunk>& chunks = groups_[group].chunks;
  moved_ += chunks.size() - chunk;
  chunks.insert(chunks.begin() + static_cast<std::ptrdiff_t>(chunk), made);
  forget_from(group);
  if (chunks.size() > group_chunks_max)
    split_group(group, chunk == group_chunks_max ? chunk : group_chunks_max / 2);
}

void ValueRope::remove_chunk(std::size_t group, std::size_t chunk) {
  std::vector<Chunk>& chunks = groups_[group].chunks;
  destroy(chunks[chunk]);
  moved_ += chunks.size() - chunk;
  chunks.erase(chunks.begin() + static_cast<std::ptrdiff_t>(chunk));
  forget_from(group);
  if (chunks.empty()) groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(group));
  else if (chunks.size() % 16 == 0) mend(group);
}

/// Moves the chunks from this one on into a new group after it.
void ValueRope::split_group(std::size_t group, std::size_t chunk) {
  Group behind;
  std::vector<Chunk>& chunks = groups_[group].chunks;
  behind.chunks.assign(chunks.begin() + static_cast<std::ptrdiff_t>(chunk), chunks.end());
  chunks.resize(chunk);
  for (const Chunk& moved : behind.chunks) behind.sums.add(moved.sums);
  groups_[group].sums.subtract(behind.sums);
  moved_ += behind.chunks.size();
  groups_.insert(groups_.begin() + static_cast<std::ptrdiff_t>(group) + 1, std::move(behind));
  forget_from(group);
}

/// Appends the next group to this one.
void ValueRope::join_groups(std::size_t group) {
  Group& next = groups_[group + 1];
  std::vector<Chunk>& chunks = groups_[group].chunks;
  chunks.insert(chunks.end(), next.chunks.begin(), next.chunks.end());
  groups_[group].sums.add(next.sums);
  moved_ += next.chunks.size();
  groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(group) + 1);
  forget_from(group);
}

/// Merges the group with its neighbours where two together have few chunks.
void ValueRope::mend(std::size_t group) {
  for (const std::size_t first : {group, group - 1}) {
    if (first >= groups_.size() || first + 1 == groups_.size()) continue;
    if (groups_[first].chunks.size() + groups_[first + 1].chunks.size() > group_chunks_max * 3 / 4) continue;
    const std::size_t seam = groups_[first].chunks.size() - 1;
    join_groups(first);
    join(first, seam);
  }
}

bool ValueRope::join(std::size_t group, std::size_t chunk) {
  std::vector<Chunk>& chunks = groups_[group].chunks;
  if (chunk + 1 >= chunks.size()) return false;
  Chunk& one = chunks[chunk];
  Chunk& next = chunks[chunk + 1];
  if (one.count + next.count > static_cast<int>(chunk_items_max * 3 / 4)) return false;
  rebuild(one, chunk_items_max, std::max(one.width, next.width));
  move_end(next, next.count, one);
  remove_chunk(group, chunk + 1);
  forget_from(group);
  return true;
}

/// To be called after an item of the chunk was removed.
void ValueRope::tidy(std::size_t group, std::size_t chunk) {
  Chunk& sparse = groups_[group].chunks[chunk];
  if (groups_.size() == 1 && groups_[group].chunks.size() == 1) {
    if (sparse.count == 0 && sparse.capacity > chunk_items_min) remove_chunk(group, chunk);
    else if (sparse.capacity > 64 && sparse.count < sparse.capacity / 8)
      rebuild(sparse, std::max<std::uint32_t>(sparse.count * 2u, chunk_items_min), sparse.width);
    return;
  }
  if (sparse.count == 0) remove_chunk(group, chunk);
  else if (sparse.count <= chunk_items_max / 4 && sparse.count % 16 == 0)
    if (!join(group, chunk) && chunk != 0) join(group, chunk - 1);
}

/// Moves the items from this one on into a new chunk after it.
void ValueRope::split_chunk(const Place& place) {
  Chunk& chunk = groups_[place.group].chunks[place.chunk];
  Chunk behind = make_chunk(chunk_items_max, chunk.width, 0);
  move_end(chunk, chunk.count - place.item, behind);
  insert_chunk(place.group, place.chunk + 1, behind);
}

// ---- one value --------------------------------------------------------------------------------------------

/// Returns whether the chunk has room now; else the value at `position` has moved to another place.
bool ValueRope::make_room(const Place& place, std::uint64_t position) {
  Chunk& chunk = groups_[place.group].chunks[place.chunk];
  if (chunk.count < chunk.capacity) return true;
  if (chunk.capacity < chunk_items_max) {
    rebuild(chunk, std::min<std::uint32_t>(chunk.capacity * 2u, chunk_items_max), chunk.width);
    return true;
  }
  const std::uint32_t width = chunk.width;
  if (position == size()) insert_chunk(place.group, place.chunk + 1, make_chunk(chunk_items_max, width, 0));
  else if (position == 0) insert_chunk(0, 0, make_chunk(chunk_items_max, width, chunk_items_max));
  else split_chunk({place.group, place.chunk, chunk_items_max / 2});
  return false;
}

/// The most common case, in which nothing has to move.
bool ValueRope::push_into_last(Value& value) {
  if (groups_.empty()) return false;
  Group& group = groups_.back();
  Chunk& chunk = group.chunks.back();
  const Sums sums = sums_of(value);
  if (chunk.begin + chunk.count >= chunk.capacity || sums.cell_bytes > chunk.width) return false;
  put_cell(chunk, chunk.count++, std::move(value));
  for (Sums* changed : {&chunk.sums, &group.sums, &sums_}) changed->add(sums);
  return true;
}

void ValueRope::insert(std::uint64_t position, Value value) {
  if (position == size() && push_into_last(value)) return;
  const Sums sums = sums_of(value);
  const auto width = static_cast<std::uint32_t>(sums.cell_bytes);
  if (groups_.empty()) {
    groups_.emplace_back();
    insert_chunk(0, 0, make_chunk(chunk_items_min, width, 0));
  }
  Place place;
  do {
    if (position == size()) {
      const std::vector<Chunk>& chunks = groups_.back().chunks;
      place = {groups_.size() - 1, chunks.size() - 1, chunks.back().count};
    } else {
      place = position == 0 ? Place{0, 0, 0} : place_of(position);
    }
  } while (!make_room(place, position));
  Group& group = groups_[place.group];
  Chunk& chunk = group.chunks[place.chunk];
  if (width > chunk.width) rebuild(chunk, chunk.capacity, width);
  open_gap(chunk, place.item);
  put_cell(chunk, place.item, std::move(value));
  for (Sums* changed : {&chunk.sums, &group.sums, &sums_}) changed->add(sums);
  forget_from(place.group + 1);
}

Value ValueRope::take(std::uint64_t position) {
  const Place place = place_of(position);
  Group& group = groups_[place.group];
  Chunk& chunk = group.chunks[place.chunk];
  Value taken = take_cell(chunk, place.item);
  const Sums sums = sums_of(taken);
  for (Sums* changed : {&chunk.sums, &group.sums, &sums_}) changed->subtract(sums);
  if (place.item + 1u == chunk.count) {
    --chunk.count;
    if (position == size() && chunk.count % 16 != 0) return taken;  // the last value of the rope
  } else {
    close_gap(chunk, place.item);
  }
  forget_from(place.group + 1);
  tidy(place.group, place.chunk);
  return taken;
}

Value ValueRope::replace(std::uint64_t position, Value value) {
  const Place place = place_of(position);
  Group& group = groups_[place.group];
  Chunk& chunk = group.chunks[place.chunk];
  Value before = take_cell(chunk, place.item);
  const Sums sums_before = sums_of(before);
  const Sums sums = sums_of(value);
  for (Sums* changed : {&chunk.sums, &group.sums, &sums_}) {
    changed->subtract(sums_before);
    changed->add(sums);
  }
  if (sums.cell_bytes > chunk.width) {
    put_cell(chunk, place.item, Value());
    rebuild(chunk, chunk.capacity, static_cast<std::uint32_t>(sums.cell_bytes));
    (void)take_cell(chunk, place.item);
  }
  put_cell(chunk, place.item, std::move(value));
  return before;
}

// ---- many values ------------------------------------------------------------------------------------------

/// Makes a group begin at `position` and returns its index.
std::size_t ValueRope::split_at(std::uint64_t position) {
  if (position == size()) return groups_.size();
  Place place = place_of(position);
  if (place.item != 0) {
    split_chunk(place);
    place = place_of(position);
  }
  if (place.chunk == 0) return place.group;
  split_group(place.group, place.chunk);
  return place.group + 1;
}

ValueRope ValueRope::cut(std::uint64_t position, std::uint64_t count) {
  ValueRope taken;
  taken.reclaim_queue_ = reclaim_queue_;
  if (count == size()) {
    swap(taken);
    std::swap(moved_, taken.moved_);
    return taken;
  }
  if (count <= chunk_items_max) {  // not worth splitting groups for
    for (std::uint64_t i = 0; i < count; ++i) taken.insert(i, take(position));
    return taken;
  }
  const std::size_t end_before = split_at(position + count);
  const std::size_t groups_before = groups_.size();
  const std::size_t begin = split_at(position);
  const std::size_t end = end_before + (groups_.size() - groups_before);
  for (std::size_t i = begin; i < end; ++i) {
    sums_.subtract(groups_[i].sums);
    taken.sums_.add(groups_[i].sums);
    taken.groups_.push_back(std::move(groups_[i]));
  }
  groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(begin),
                groups_.begin() + static_cast<std::ptrdiff_t>(end));
  forget_from(0);
  mend(begin);
  return taken;
}

void ValueRope::paste(std::uint64_t position, ValueRope other) {
  if (other.size() <= chunk_items_max) {
    for (std::uint64_t i = 0; !other.empty(); ++i) insert(position + i, other.take(0));
    return;
  }
  if (empty() && !groups_.empty()) remove_chunk(0, 0);
  const std::size_t at = split_at(position);
  sums_.add(other.sums_);
  const std::size_t count = other.groups_.size();
  groups_.insert(groups_.begin() + static_cast<std::ptrdiff_t>(at),
                 std::make_move_iterator(other.groups_.begin()),
                 std::make_move_iterator(other.groups_.end()));
  other.groups_.clear();
  other.sums_ = {};
  forget_from(0);
  mend(at + count);
  mend(at);
}

}  // namespace tandem::server
