#pragma once
// One page of an object's contents: copied on the engine's thread, made into JSON on another.

#include <vector>

#include <nlohmann/json.hpp>

#include "server/engine/object.hpp"

namespace tandem::server {

class Content {
 public:
  /// At most `count_max` elements and about `bytes_max` bytes.
  Content(std::uint64_t count_max, std::uint64_t bytes_max) : count_max_(count_max), bytes_max_(bytes_max) {}

  /// Copies the elements from `offset` on. On the engine's thread, once.
  void copy(const Object& object, std::uint64_t offset);

  bool keyed() const { return keyed_; }
  std::uint64_t count() const { return pieces_.size() / (keyed_ ? 2 : 1); }
  /// [item, …] or [[key, value], …] in display JSON (tandem/json.hpp). A key or value that alone takes more than
  /// bytes_max is {"$truncated": its bytes, "$kind": "text"}.
  nlohmann::ordered_json json() const;

 private:
  struct Piece {
    std::size_t begin = 0;      // in bytes_
    std::uint64_t bytes = 0;    // of the value; not copied when it is truncated
    wire::Kind kind = wire::Kind::nil;
    bool truncated = false;
  };

  bool fits(std::uint64_t bytes) const;
  void keep(wire::Bytes value);
  nlohmann::ordered_json json_of(const Piece& piece) const;

  std::uint64_t count_max_;
  std::uint64_t bytes_max_;
  bool keyed_ = false;
  wire::Buffer bytes_;
  std::vector<Piece> pieces_;
};

}  // namespace tandem::server
