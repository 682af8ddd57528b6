#pragma once
// Values in a row, of which any one is found, put in or taken out at about the same cost wherever it stands and however
// many there are.
//
//   rope     groups of chunks
//   group    up to 128 chunks
//   chunk    up to 512 values, with room at either side; of 8 bytes each while all are short (numbers of 32 bits,
//            truth, nil), else of 16
//
// Putting in or taking out one value moves no more than a chunk or two and a group's list of chunks.

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

  /// Where contents go when they are large; it must outlive the rope.
  void bury_in(ReclaimQueue* reclaim_queue) { graveyard_ = reclaim_queue; }

  std::uint64_t size() const { return sums_.items; }
  bool empty() const { return sums_.items == 0; }
  /// Memory for what is in the rope. It depends on nothing else, and so leaves out what there may be room for.
  std::uint64_t memory_bytes() const { return sums_.cell_bytes + sums_.heap_bytes; }
  /// Of the values' places only.
  std::uint64_t cell_bytes() const { return sums_.cell_bytes; }
  /// Length of all values' MessagePack, one after the other.
  std::uint64_t encoded_bytes() const { return sums_.encoded_bytes; }
  /// All memory, apart from what is on the values' heap.
  std::uint64_t capacity_bytes() const;
  /// Values that were moved to another place, and chunks that were in their groups, since the beginning.
  std::uint64_t moved() const { return moved_; }
  /// What a value takes in the row.
  static std::uint64_t cell_bytes_of(ValueView value) {
    return value.bytes.size() <= narrow_bytes_max ? 8 : 16;
  }

  /// Good until the rope changes. One after the other costs no search.
  ValueView operator[](std::uint64_t position) const {
    if (seen_.chunk == nullptr || position - seen_.first >= seen_.chunk->count) look_for(position);
    return seen_.chunk->view(static_cast<std::uint32_t>(position - seen_.first));
  }

  void push_back(Value value) { insert(size(), std::move(value)); }
  void insert(std::uint64_t position, Value value);
  Value take(std::uint64_t position);
  /// Gives what stood there.
  Value replace(std::uint64_t position, Value value);

  /// Takes out `count` values from `position` on; whole chunks go as they are.
  ValueRope cut(std::uint64_t position, std::uint64_t count);
  /// Puts all of `other` in, the first at `position`.
  void paste(std::uint64_t position, ValueRope other);

  /// Frees about `most` values, the last first; gives how many, 0 at the end. For the reclaim_queue.
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
  /// Of one value.
  static Sums sums_of(const Value& value);

  struct Chunk {
    std::uint8_t* cells = nullptr;
    Sums sums;
    std::uint16_t capacity = 0;
    std::uint16_t begin = 0;
    std::uint16_t count = 0;
    std::uint16_t width = 0;  // bytes of a cell

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

  // Of one chunk. A cell that is none of its items' is no Value either.
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
  ReclaimQueue* graveyard_ = nullptr;

  // How many stand before each group, of the first `counted_` groups.
  mutable std::vector<std::uint64_t> before_group_;
  mutable std::size_t counted_ = 0;
  // The chunk looked at last, until something moves.
  mutable struct {
    const Chunk* chunk = nullptr;
    std::uint64_t first = 0;
  } seen_;
};

}  // namespace tandem::server
