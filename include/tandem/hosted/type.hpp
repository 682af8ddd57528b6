#pragma once
// The manager's description of your own hosted type: the boundary between the class you write
// (tandem/hosted.hpp makes its description) and the engine that hosts it. Not for users, except that
// ServerOptions takes a HostedType.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "tandem/ops/op.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem {

namespace hosting {

/// Lowest number of users' types; lower numbers are tandem's.
inline constexpr std::uint8_t type_number_min = 128;

/// Counts the references to hosted objects that live values hold; no effect once the manager is destroyed.
class References {
 public:
  virtual void retain(std::uint64_t id) = 0;
  virtual void release(std::uint64_t id) = 0;

 protected:
  ~References() = default;
};

/// Lets values hold references when they are decoded with it.
struct ReferenceHolder {
  std::shared_ptr<References> references;
  std::uint64_t held = 0;  // number taken while decoding
};

/// One call of a handler. Arguments are validated: one well-formed value each, whose references are to
/// existing objects.
class Exchange {
 public:
  const ops::OpDescription& op() const { return *op_; }
  const std::shared_ptr<References>& references() const { return references_; }
  /// Nil if it was omitted.
  virtual wire::Bytes argument(std::size_t position) const = 0;
  /// Returns as an array whatever is accepted as items: an array, a tuple, a set, an object that has items.
  /// Throws TypeError.
  virtual wire::Bytes items(wire::Bytes argument) = 0;
  /// Returns as a map whatever is accepted as entries: a map, an object that has entries. Throws TypeError.
  virtual wire::Bytes entries(wire::Bytes argument) = 0;
  /// Receives the handler's result, one value.
  wire::Buffer& result() { return result_; }

 protected:
  Exchange(const ops::OpDescription& op, std::shared_ptr<References> references)
      : op_(&op), references_(std::move(references)) {}
  ~Exchange() = default;

 private:
  const ops::OpDescription* op_;
  std::shared_ptr<References> references_;
  wire::Buffer result_;
};

/// What an object shows of its contents.
enum class Shown : std::uint8_t { nothing, value, items, entries };

/// An object of the user's class.
class Instance {
 public:
  virtual ~Instance() = default;
  virtual std::uint64_t size() const = 0;
  virtual std::uint64_t memory_bytes() const = 0;
  /// Appends the shown contents as one value: a map if its type shows entries, an array, tuple or set if it
  /// shows items.
  virtual void show(wire::Buffer& out) const = 0;
  /// Appends the whole state as one value, if the type `can_save`; else nil.
  virtual void save(wire::Buffer& out) const = 0;
  /// Brings a new object into this state.
  virtual void load(wire::Bytes saved, const std::shared_ptr<References>& references) = 0;
};

/// One operation. `call` throws what the handler throws, and TypeError for arguments that it cannot take.
struct Handler {
  const ops::OpDescription* op = nullptr;  // null: no operation has this number
  void (*call)(Instance& instance, Exchange& exchange) = nullptr;
};

struct Type {
  std::string_view name;
  std::uint8_t number = 0;
  Shown shown = Shown::nothing;
  std::span<const Handler> handlers;  // by operation number; the first is Create
  std::unique_ptr<Instance> (*make)() = nullptr;
  bool can_save = false;
};

}  // namespace hosting

/// A hosted type of your own, for ServerOptions. Made by hosted<T>() (tandem/hosted.hpp).
class HostedType {
 public:
  explicit constexpr HostedType(const hosting::Type& type) : type_(&type) {}
  constexpr std::string_view name() const { return type_->name; }
  constexpr std::uint8_t number() const { return type_->number; }
  /// For the library's own use.
  constexpr const hosting::Type& type() const { return *type_; }

 private:
  const hosting::Type* type_;
};

}  // namespace tandem
