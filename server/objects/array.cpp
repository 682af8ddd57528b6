#include "server/objects/array.hpp"

namespace tandem::server {
namespace {

/// The longest byte string of MessagePack: a slice of the whole array is one.
constexpr std::uint64_t array_bytes_max = 0xffffffff;

}  // namespace

Result<void> Array::allocate(const CallContext& context, ElementType type, std::uint64_t length) {
  if (length > array_bytes_max / type.bytes())
    return Failure{Code::resource_exhausted, "an array of " + std::to_string(length) + " elements of " +
                                                 std::to_string(type.bytes()) + " bytes is over the " +
                                                 std::to_string(array_bytes_max) +
                                                 " bytes that an array can have"};
  const std::uint64_t bytes = length * type.bytes();
  if (Result<void> room = context.room_for(bytes); !room) return room;
  element_ = type;
  if (bytes == 0) return {};
  // calloc need not write the zeros of a large array.
  memory_.reset(static_cast<std::uint8_t*>(std::calloc(bytes, 1)));
  if (memory_ == nullptr)
    return Failure{Code::resource_exhausted,
                   "the machine has no " + std::to_string(bytes) + " bytes for an array"};
  bytes_ = bytes;
  return {};
}

void Array::remember(const CallContext& context, const Slice& slice) {
  if (context.undo() == nullptr) return;
  const std::size_t width = element_.bytes();
  wire::Buffer before;
  before.reserve(slice.count * width);
  if (slice.step == 1) before.append(element(static_cast<std::uint64_t>(slice.start)), slice.count * width);
  else
    for (std::uint64_t i = 0; i < slice.count; ++i) before.append(element(slice.position(i)), width);
  context.undo()->add(slice.count * width,
                      [this, slice, before = std::move(before)] { assign(slice, before.view()); });
}

void Array::remember(const CallContext& context, std::uint8_t* at) {
  if (context.undo() == nullptr) return;
  ElementType::Space before{};
  std::memcpy(before.data(), at, element_.bytes());
  context.undo()->add(0, [at, before, width = element_.bytes()] { std::memcpy(at, before.data(), width); });
}

void Array::assign(const Slice& slice, wire::Bytes elements) {
  const std::size_t width = element_.bytes();
  if (slice.step == 1)
    std::copy(elements.begin(), elements.end(), element(static_cast<std::uint64_t>(slice.start)));
  else
    for (std::uint64_t i = 0; i < slice.count; ++i)
      std::memcpy(element(slice.position(i)), elements.data() + i * width, width);
}

/// Contiguous elements are copied as bytes.
std::uint64_t Array::looks_for(const Slice& slice) const {
  return slice.step == 1 ? CallContext::looks_for(slice.count * element_.bytes()) : slice.count;
}

Result<std::uint8_t*> Array::element_at(std::int64_t index) {
  if (auto position = position_of(index, size())) return element(*position);
  return Failure{Code::index_error, "array index " + std::to_string(index) +
                                        " is out of range: the array has " + std::to_string(size()) +
                                        " elements"};
}

Result<void> Array::on(Ops::Create, CallContext& context, std::string_view typecode, ValueView contents) {
  Result<ElementType> type = ElementType::of(typecode);
  if (!type) return std::move(type.failure());
  std::int64_t length = 0;
  wire::Bytes elements;
  if (contents.reader().int64(length)) {
    if (length < 0)
      return Failure{Code::value_error, "an array's length is at least 0, not " + std::to_string(length)};
    return allocate(context, *type, static_cast<std::uint64_t>(length));
  }
  if (!contents.reader().bytes(elements))
    return Failure{Code::type_error,
                   "an array's contents are a length or bytes, not '" + type_name(contents) + "'"};
  if (elements.size() % type->bytes() != 0)
    return Failure{Code::value_error, std::to_string(elements.size()) +
                                          " bytes are no whole number of elements of " +
                                          std::to_string(type->bytes()) + " bytes"};
  if (Result<void> made = allocate(context, *type, elements.size() / type->bytes()); !made) return made;
  std::copy(elements.begin(), elements.end(), memory_.get());
  return {};
}

Result<Written> Array::on(Ops::At, CallContext& context, std::int64_t index) {
  Result<std::uint8_t*> at = element_at(index);
  if (!at) return std::move(at.failure());
  element_.read(*at, context.out());
  return Written{};
}

Result<void> Array::on(Ops::Set, CallContext& context, std::int64_t index, ValueView value) {
  Result<std::uint8_t*> at = element_at(index);
  if (!at) return std::move(at.failure());
  remember(context, *at);
  return element_.write(value, *at);
}

Result<Written> Array::on(Ops::FetchAdd, CallContext& context, std::int64_t index, ValueView operand) {
  Result<std::uint8_t*> at = element_at(index);
  if (!at) return std::move(at.failure());
  element_.read(*at, context.out());
  remember(context, *at);
  if (Result<void> added = element_.add(operand, *at); !added) return std::move(added.failure());
  return Written{};
}

Result<Written> Array::on(Ops::Slice, CallContext& context, Index start, Index stop, Index step) {
  Result<Slice> slice = slice_of(start, stop, step, size());
  if (!slice) return std::move(slice.failure());
  const std::size_t width = element_.bytes();
  if (Result<void> fits = context.reply_fits(slice->count * width); !fits) return std::move(fits.failure());
  if (Result<void> look = context.look_at(looks_for(*slice)); !look) return std::move(look.failure());
  if (slice->step == 1) {
    context.out().bytes({element(static_cast<std::uint64_t>(slice->start)), slice->count * width});
    return Written{};
  }
  wire::Buffer picked;
  picked.reserve(slice->count * width);
  for (std::uint64_t i = 0; i < slice->count; ++i) picked.append(element(slice->position(i)), width);
  context.out().bytes(picked.view());
  return Written{};
}

Result<void> Array::on(Ops::AssignSlice, CallContext& context, wire::Bytes elements, Index start, Index stop,
                       Index step) {
  Result<Slice> slice = slice_of(start, stop, step, size());
  if (!slice) return std::move(slice.failure());
  const std::size_t width = element_.bytes();
  if (elements.size() != slice->count * width)
    return Failure{Code::value_error, "attempt to assign " + std::to_string(elements.size()) +
                                          " bytes to a slice of " + std::to_string(slice->count) +
                                          " elements of " + std::to_string(width) + " bytes each"};
  if (Result<void> look = context.look_at(looks_for(*slice)); !look) return look;
  if (slice->count == 0) context.unchanged();
  remember(context, *slice);
  assign(*slice, elements);
  return {};
}

Result<void> Array::on(Ops::Fill, CallContext& context, ValueView value) {
  ElementType::Space space{};
  if (Result<void> made = element_.write(value, space.data()); !made) return made;
  if (Result<void> look = context.look_at(CallContext::looks_for(bytes_)); !look) return look;
  if (size() == 0) return context.unchanged(), Result<void>();
  remember(context, Slice{0, 1, size()});
  // What is filled is copied to what follows, as far as it stays in a near cache.
  constexpr std::uint64_t copied_max = 16 * 1024;
  std::memcpy(memory_.get(), space.data(), element_.bytes());
  for (std::uint64_t filled = element_.bytes(); filled < bytes_;) {
    const std::uint64_t count = std::min({filled, copied_max, bytes_ - filled});
    std::memcpy(memory_.get() + filled, memory_.get(), count);
    filled += count;
  }
  return {};
}

Result<std::int64_t> Array::on(Ops::Size, CallContext&) {
  return static_cast<std::int64_t>(size());
}

Result<std::string_view> Array::on(Ops::TypeCode, CallContext&) {
  return element_.code();
}

void Array::save(StateWriter& out) const {
  out.text(element_.code());
  out.bytes({memory_.get(), bytes_});
}

void Array::load(StateReader& in) {
  Result<ElementType> type = ElementType::of(in.text());
  if (in.failed()) return;
  if (!type) return in.fail("an array: " + type.failure().text);
  element_ = *type;
  bytes_ = in.bytes(array_bytes_max, [&](std::uint64_t size) {
    memory_.reset(static_cast<std::uint8_t*>(std::malloc(size)));
    return memory_.get();
  });
  if (bytes_ % element_.bytes() != 0) in.fail("an array ends in the middle of an element");
}

std::optional<std::uint64_t> Array::visit_elements(std::uint64_t cursor, const ElementVisitor& visit) const {
  wire::Buffer shown;
  wire::Writer out(shown);
  for (std::uint64_t i = cursor; i < size(); ++i) {
    shown.clear();
    element_.read(element(i), out);
    if (!visit({}, {shown.view()}) && i + 1 < size()) return i + 1;
  }
  return std::nullopt;
}

}  // namespace tandem::server
