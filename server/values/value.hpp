#pragma once
// A hosted value: validated MessagePack bytes, kept as received. Up to 15 bytes without references are stored
// in the Value itself, so that small integers, floats and short texts need no allocation. A value with
// references to objects counts them as long as it lives, so the counts stay right when a Value is
// overwritten, erased, cleared or destroyed. Long values without references are SharedBytes.

#include <cstdint>
#include <cstring>

#include "server/values/shared_bytes.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem::server {

using ObjectId = std::uint64_t;

/// Counts the references that live values hold. Implemented by the registry.
class ReferenceCounter {
 public:
  virtual void retain(ObjectId id) = 0;
  virtual void release(ObjectId id) = 0;

 protected:
  ~ReferenceCounter() = default;
};

/// A view of a value stored elsewhere, in a request or a Value. Valid only while that is unchanged.
struct ValueView {
  wire::Bytes bytes;
  bool references = false;               // may hold references
  SharedBytes::Block* shared = nullptr;  // whose bytes these are, all of them, if they are shared
  wire::Reader reader() const { return wire::Reader(bytes); }
  wire::Kind kind() const { return reader().peek(); }
};

/// Calls `f(wire::Reference)` for each reference in `bytes`, at any depth. Of malformed bytes it ends where they are wrong.
template <class F>
void for_each_reference(wire::Bytes bytes, F&& f) {
  wire::Reader reader(bytes);
  while (!reader.at_end()) {
    std::uint32_t count = 0;
    std::int8_t type = 0;
    wire::Bytes body;
    switch (reader.peek()) {
      case wire::Kind::array:
        if (!reader.array(count)) return;
        break;
      case wire::Kind::map:
        if (!reader.map(count)) return;
        break;
      case wire::Kind::extension: {
        wire::Reader at = reader;
        if (!reader.extension(type, body)) return;
        wire::Reference reference;
        if (at.reference(reference)) f(reference);
        else if (type == static_cast<std::int8_t>(wire::Extension::tuple) ||
                 type == static_cast<std::int8_t>(wire::Extension::set))
          for_each_reference(body, f);
        break;
      }
      default:
        if (!reader.skip()) return;
    }
  }
}

class Value {
 public:
  Value() = default;  // absent: no value at all, not nil
  /// Copies `view`; its references are counted by `counter`, which must outlive the value.
  Value(ValueView view, ReferenceCounter& counter);
  explicit Value(SharedBytes bytes);
  /// Makes a value of bytes that fit into the Value itself and contain no references.
  static Value in_place(wire::Bytes bytes) {
    Value made;
    std::memcpy(made.raw_, bytes.data(), bytes.size());
    made.raw_[tag_at] = static_cast<std::uint8_t>(bytes.size());
    return made;
  }
  Value(Value&& other) noexcept {
    std::memcpy(raw_, other.raw_, sizeof raw_);
    other.raw_[tag_at] = 0;
  }
  Value& operator=(Value&& other) noexcept {
    if (this != &other) {
      drop();
      std::memcpy(raw_, other.raw_, sizeof raw_);
      other.raw_[tag_at] = 0;
    }
    return *this;
  }
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;
  ~Value() { drop(); }

  static constexpr std::size_t inline_bytes_max = 15;

  bool absent() const { return tag() == 0; }
  ValueView view() const {
    if (tag() <= inline_bytes_max) return {{raw_, tag()}, false};
    if (tag() == tag_shared) [[unlikely]]
      return {shared()->bytes, false, shared()};
    return {{block() + (tag() == tag_counted ? sizeof(ReferenceCounter*) : 0), size()}, tag() == tag_counted};
  }
  operator ValueView() const { return view(); }
  /// Length of its MessagePack.
  std::size_t encoded_bytes() const { return tag() <= inline_bytes_max ? tag() : size(); }
  /// Heap memory, in bytes.
  std::size_t heap_bytes() const {
    return tag() <= inline_bytes_max ? 0 : size() + allocation_overhead_bytes;
  }
  /// The heap_bytes() of a Value of `bytes`.
  static std::size_t heap_bytes_for(std::size_t bytes) {
    return bytes <= inline_bytes_max ? 0 : bytes + allocation_overhead_bytes;
  }

 private:
  static constexpr std::size_t tag_at = 15;
  static constexpr std::uint8_t tag_heap = 16;
  static constexpr std::uint8_t tag_counted = 17;  // on the heap, after a pointer to its ReferenceCounter
  static constexpr std::uint8_t tag_shared = 18;   // a block of SharedBytes
  static constexpr std::size_t allocation_overhead_bytes = 16;

  std::uint8_t tag() const { return raw_[tag_at]; }
  std::uint8_t* block() const {
    std::uint8_t* at;
    std::memcpy(&at, raw_, sizeof at);
    return at;
  }
  SharedBytes::Block* shared() const {
    SharedBytes::Block* at;
    std::memcpy(&at, raw_, sizeof at);
    return at;
  }
  std::uint32_t size() const {
    std::uint32_t bytes;
    std::memcpy(&bytes, raw_ + 8, sizeof bytes);
    return bytes;
  }
  void drop() {
    if (tag() > inline_bytes_max) drop_heap();
  }
  void drop_heap();

  alignas(4) std::uint8_t raw_[16] = {};
};

static_assert(sizeof(Value) == 16);

}  // namespace tandem::server
