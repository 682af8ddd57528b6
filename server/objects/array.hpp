#pragma once
// The hosted array: its elements in one contiguous block.

#include <cstdlib>
#include <memory>

#include "server/engine/dispatch.hpp"
#include "server/structures/slice.hpp"
#include "server/values/element_type.hpp"
#include "tandem/ops/array.hpp"

namespace tandem::server {

class Array final : public Object {
 public:
  using Ops = ops::Array;
  static constexpr bool can_undo = true;
  using Index = std::optional<std::int64_t>;

  Result<void> on(Ops::Create, CallContext&, std::string_view typecode, ValueView contents);
  Result<Written> on(Ops::At, CallContext&, std::int64_t index);
  Result<void> on(Ops::Set, CallContext&, std::int64_t index, ValueView value);
  Result<Written> on(Ops::FetchAdd, CallContext&, std::int64_t index, ValueView operand);
  Result<Written> on(Ops::Slice, CallContext&, Index start, Index stop, Index step);
  Result<void> on(Ops::AssignSlice, CallContext&, wire::Bytes elements, Index start, Index stop, Index step);
  Result<void> on(Ops::Fill, CallContext&, ValueView value);
  Result<std::int64_t> on(Ops::Size, CallContext&);
  Result<std::string_view> on(Ops::TypeCode, CallContext&);

  std::uint64_t size() const override { return bytes_ / element_.bytes(); }
  std::uint64_t memory_bytes() const override { return bytes_; }
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;
  std::optional<std::uint64_t> cursor_at(std::uint64_t offset) const override { return offset; }

 private:
  struct Free {
    void operator()(std::uint8_t* memory) const { std::free(memory); }
  };

  Result<void> allocate(const CallContext& context, ElementType type, std::uint64_t length);
  /// Records the current elements of `slice` for undo.
  std::uint64_t looks_for(const Slice& slice) const;
  void remember(const CallContext& context, const Slice& slice);
  void remember(const CallContext& context, std::uint8_t* element);
  void assign(const Slice& slice, wire::Bytes elements);
  Result<std::uint8_t*> element_at(std::int64_t index);
  std::uint8_t* element(std::uint64_t position) const { return memory_.get() + position * element_.bytes(); }

  ElementType element_;
  std::unique_ptr<std::uint8_t, Free> memory_;
  std::uint64_t bytes_ = 0;
};

}  // namespace tandem::server
