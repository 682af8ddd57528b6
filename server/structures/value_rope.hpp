#pragma once
// A sequence of values. Lookup, insertion and removal of one value cost about the same at any position and
// for any number of values.
//
//   rope     groups of chunks
//   group    up to 128 chunks
//   chunk    up to 512 values, with room at either end; its cells have 8 bytes while all values are short
//            (at most 7 bytes: 32-bit numbers, booleans, nil), else 16
//
// Inserting or removing one value moves at most a chunk or two and a group's list of chunks.

#include <vector>

#include "server/structures/reclaim_queue.hpp"
#include "server/values/value.hpp"

namespace tandem::server {

class ValueRope {
 public:
  ValueRope() = default;
  ValueRope(ValueRope&& other) noexcept { swap(other); }
  ValueRope& operator=(ValueRope&& other) noexcept {
    ValueRope before(std::move(other));
    swap(before);
    return *this;
  }
  ~ValueRope();

  /// Contents are deferred to `reclaim_queue` when they are large; it must outlive the rope.
  void defer_to(ReclaimQueue* reclaim_queue) { reclaim_queue_ = reclaim_queue; }

  std::uint64_t size() const { return sums_.items; }
  bool empty() const { return sums_.items == 0; }
  /// Memory of the values in the rope. It depends only on them, so unused capacity is not included.
  std::uint64_t memory_bytes() const { return sums_.cell_bytes + sums_.heap_bytes; }
  /// Memory of the cells only.
  std::uint64_t cell_bytes() const { return sums_.cell_bytes; }
  /// Total length of all values' MessagePack.
  std::uint64_t encoded_bytes() const { return sums_.encoded_bytes; }
  /// All memory, without the values' heap memory.
  std::uint64_t capacity_bytes() const;
  /// Number of values and of chunk descriptors moved so far.
  std::uint64_t moved() const { return moved_; }
  /// Size of the cell that `value` needs.
  static std::uint64_t cell_bytes_of(ValueView value) {
    return value.bytes.size() <= narrow_bytes_max ? 8 : 16;
  }

  /// Valid until the rope changes. Sequential access takes one search per chunk.
  ValueView operator[](std::uint64_t position) const {
    if (seen_.chunk == nullptr || position - seen_.first >= seen_.chunk->count) look_for(position);
    return seen_.chunk->view(static_cast<std::uint32_t>(position - seen_.first));
  }

  void push_back(Value value) { insert(size(), std::move(value)); }
  void insert(std::uint64_t position, Value value);
  Value take(std::uint64_t position);
  /// Returns the previous value.
  Value replace(std::uint64_t position, Value value);

  /// Removes and returns `count` values from `position` on; whole chunks are handed over, not copied.
  ValueRope cut(std::uint64_t position, std::uint64_t count);
  /// Inserts all of `other`, its first value at `position`.
  void paste(std::uint64_t position, ValueRope other);

  /// Frees about `most` values, the last first. Returns how many, 0 at the end. For the ReclaimQueue.
  std::uint64_t release_some(std::uint64_t most);

 private:
  static constexpr std::uint32_t chunk_items_max = 512;
  static constexpr std::uint32_t chunk_items_min = 8;
  static constexpr std::size_t group_chunks_max = 128;
  static constexpr std::size_t narrow_bytes_max = 7;

  struct Sums {
    std::uint64_t items = 0;
    std::uint64_t cell_bytes = 0;
    std::uint64_t heap_bytes = 0;
    std::uint64_t encoded_bytes = 0;
    void add(const Sums& other);
    void subtract(const Sums& other);
  };
  /// The sums for one value.
  static Sums sums_of(const Value& value);

  struct Chunk {
    std::uint8_t* cells = nullptr;
    Sums sums;
    std::uint16_t capacity = 0;
    std::uint16_t begin = 0;
    std::uint16_t count = 0;
    std::uint16_t width = 0;  // bytes per cell

    std::uint8_t* cell(std::uint32_t i) const { return cells + std::size_t{begin + i} * width; }
    ValueView view(std::uint32_t i) const {
      const std::uint8_t* at = cell(i);
      if (width == sizeof(Value)) return reinterpret_cast<const Value*>(at)->view();
      return {{at, at[narrow_bytes_max]}, false};
    }
  };
  struct Group {
    std::vector<Chunk> chunks;
    Sums sums;
  };
  struct Place {
    std::size_t group;
    std::size_t chunk;
    std::uint32_t item;
  };

  // Operations on one chunk. A cell outside its items holds no Value.
  static Chunk make_chunk(std::uint32_t capacity, std::uint32_t width, std::uint32_t begin);
  static void destroy(Chunk& chunk);
  static Value take_cell(Chunk& chunk, std::uint32_t i);
  static void put_cell(Chunk& chunk, std::uint32_t i, Value&& value);
  void rebuild(Chunk& chunk, std::uint32_t capacity, std::uint32_t width);
  void open_gap(Chunk& chunk, std::uint32_t i);
  void close_gap(Chunk& chunk, std::uint32_t i);
  void slide(Chunk& chunk, std::uint32_t begin);
  void move_end(Chunk& from, std::uint32_t count, Chunk& to);

  void swap(ValueRope& other) noexcept;
  void look_for(std::uint64_t position) const;
  Place place_of(std::uint64_t position) const;
  bool push_into_last(Value& value);
  void forget_from(std::size_t group) const;
  bool make_room(const Place& place, std::uint64_t position);
  void split_chunk(const Place& place);
  void insert_chunk(std::size_t group, std::size_t chunk, Chunk made);
  void remove_chunk(std::size_t group, std::size_t chunk);
  void split_group(std::size_t group, std::size_t chunk);
  void join_groups(std::size_t group);
  void tidy(std::size_t group, std::size_t chunk);
  bool join(std::size_t group, std::size_t chunk);
  std::size_t split_at(std::uint64_t position);
  void mend(std::size_t group);

  std::vector<Group> groups_;
  Sums sums_;
  std::uint64_t moved_ = 0;
  ReclaimQueue* reclaim_queue_ = nullptr;

  // The number of values before each of the first `counted_` groups.
  mutable std::vector<std::uint64_t> before_group_;
  mutable std::size_t counted_ = 0;
  // The chunk looked up last; reset when anything moves.
  mutable struct {
    const Chunk* chunk = nullptr;
    std::uint64_t first = 0;
  } seen_;
};

}  // namespace tandem::server
