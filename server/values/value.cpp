#include "server/values/value.hpp"

#include <cstdlib>
#include <new>

#include "server/values/result.hpp"

namespace tandem::server {

Value::Value(ValueView view, ReferenceCounter& counter) {
  const std::size_t bytes = view.bytes.size();
  TANDEM_ASSERT(bytes != 0 && bytes <= 0xffffffff);
  bool counted = false;
  if (view.references) {
    for_each_reference(view.bytes, [&](wire::Reference reference) {
      counter.retain(reference.id);
      counted = true;
    });
  }
  if (bytes <= inline_bytes_max && !counted) {
    std::memcpy(raw_, view.bytes.data(), bytes);
    raw_[tag_at] = static_cast<std::uint8_t>(bytes);
    return;
  }
  if (bytes >= shared_bytes_min && !counted) {
    *this = Value(view.shared != nullptr ? SharedBytes(*view.shared) : SharedBytes::copy(view.bytes));
    return;
  }
  const std::size_t before = counted ? sizeof(ReferenceCounter*) : 0;
  auto* block = static_cast<std::uint8_t*>(std::malloc(before + bytes));
  if (block == nullptr) throw std::bad_alloc();
  if (counted) {
    ReferenceCounter* pointer = &counter;
    std::memcpy(block, &pointer, sizeof pointer);
  }
  std::memcpy(block + before, view.bytes.data(), bytes);
  const auto size = static_cast<std::uint32_t>(bytes);
  std::memcpy(raw_, &block, sizeof block);
  std::memcpy(raw_ + 8, &size, sizeof size);
  raw_[tag_at] = counted ? tag_counted : tag_heap;
}

Value::Value(SharedBytes shared) {
  const std::size_t bytes = shared.bytes().size();
  TANDEM_ASSERT(bytes > inline_bytes_max && bytes <= 0xffffffff);
  SharedBytes::Block* block = shared.detach();
  const auto size = static_cast<std::uint32_t>(bytes);
  std::memcpy(raw_, &block, sizeof block);
  std::memcpy(raw_ + 8, &size, sizeof size);
  raw_[tag_at] = tag_shared;
}

void Value::drop_heap() {
  if (tag() == tag_shared) {
    SharedBytes::release(shared());
    raw_[tag_at] = 0;
    return;
  }
  if (tag() == tag_counted) {
    ReferenceCounter* counter;
    std::memcpy(&counter, block(), sizeof counter);
    for_each_reference(view().bytes, [&](wire::Reference reference) { counter->release(reference.id); });
  }
  std::free(block());
  raw_[tag_at] = 0;
}

}  // namespace tandem::server
