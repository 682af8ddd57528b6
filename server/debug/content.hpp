#pragma once
// One page of an object's contents: copied on the engine's thread, converted to JSON on another.

#include <vector>

#include <nlohmann/json.hpp>

#include "server/engine/object.hpp"

namespace tandem::server {

class Content {
 public:
  /// A page ends after the element that makes it `count_max` elements or more than `bytes_max` bytes.
  Content(std::uint64_t count_max, std::uint64_t bytes_max) : count_max_(count_max), bytes_max_(bytes_max) {}

  /// Copies the elements after `cursor`, without the first `skip`. Returns the cursor to continue from, or
  /// none at the end. Called on the engine's thread. Skips at most elements_skipped_max elements, and must
  /// then be called again with the returned cursor and the reduced `skip`.
  std::optional<std::uint64_t> copy(const Object& object, std::uint64_t cursor, std::uint64_t& skip);
  static constexpr std::uint64_t elements_skipped_max = 20'000;

  bool keyed() const { return keyed_; }
  std::uint64_t count() const { return pieces_.size() / (keyed_ ? 2 : 1); }
  /// Returns [item, …] or [[key, value], …] in display JSON (tandem/json.hpp). A key or value longer than
  /// bytes_max is {"$truncated": its bytes, "$kind": "text"}.
  nlohmann::ordered_json json() const;

 private:
  struct Piece {
    std::size_t begin = 0;    // in bytes_
    std::uint64_t bytes = 0;  // of the value; not copied when it is truncated
    wire::Kind kind = wire::Kind::nil;
    bool truncated = false;
  };

  void keep(wire::Bytes value);
  nlohmann::ordered_json json_of(const Piece& piece) const;

  std::uint64_t count_max_;
  std::uint64_t bytes_max_;
  bool keyed_ = false;
  wire::Buffer bytes_;
  std::vector<Piece> pieces_;
};

}  // namespace tandem::server
