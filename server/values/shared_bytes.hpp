#pragma once
// The bytes of a long value, which are not copied: the request that brought them, the values that contain them and
// the replies that send them share them. They never change. For one thread, the engine's.

#include <cstdint>
#include <utility>

#include "tandem/wire/buffer.hpp"

namespace tandem::server {

/// Values of at least so many bytes are shared. Below that, a copy costs less than its bookkeeping.
inline constexpr std::size_t shared_bytes_min = 32 * 1024;

/// A handle of such bytes, or of none.
class SharedBytes {
 public:
  struct Block {
    std::uint32_t users;
    wire::Buffer memory;
    wire::Bytes bytes;  // a part of `memory`
  };

  SharedBytes() = default;
  /// Takes over `memory`, of which `bytes` is a part. It stays where it is.
  static SharedBytes adopt(wire::Buffer memory, wire::Bytes bytes);
  static SharedBytes copy(wire::Bytes bytes);
  /// A handle that takes over the use of detach().
  static SharedBytes own(Block& block) {
    SharedBytes made;
    made.block_ = &block;
    return made;
  }
  /// One more handle of the same.
  explicit SharedBytes(Block& block) : block_(&block) { ++block.users; }
  SharedBytes(const SharedBytes& other) : block_(other.block_) {
    if (block_ != nullptr) ++block_->users;
  }
  SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedBytes& operator=(SharedBytes other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedBytes() {
    if (block_ != nullptr) [[unlikely]]
      release(block_);
  }

  explicit operator bool() const { return block_ != nullptr; }
  wire::Bytes bytes() const { return block_ == nullptr ? wire::Bytes() : block_->bytes; }
  /// The block, whose use the caller ends with release().
  Block* detach() { return std::exchange(block_, nullptr); }
  static void release(Block* block) {
    if (--block->users == 0) delete block;
  }

 private:
  Block* block_ = nullptr;
};

}  // namespace tandem::server
