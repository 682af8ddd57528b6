#include "tandem/hosted/held_value.hpp"

#include "server/values/value.hpp"

namespace tandem {

namespace hosting {

std::uint64_t count_references(wire::Bytes values) {
  std::uint64_t count = 0;
  server::for_each_reference(values, [&](wire::Reference) { ++count; });
  return count;
}

void throw_not_kept(std::string_view type) {
  throw TypeError("a reference to a hosted object is kept by HeldValue alone, not by " + std::string(type));
}

}  // namespace hosting

HeldValue::HeldValue(std::string bytes, std::shared_ptr<hosting::References> references)
    : bytes_(std::move(bytes)) {
  if (hosting::count_references(this->bytes()) == 0) return;
  if (!references) throw ValueError("a reference to a hosted object comes from a client's argument only");
  references_ = std::move(references);
  server::for_each_reference(this->bytes(),
                             [&](wire::Reference reference) { references_->retain(reference.id); });
}

HeldValue::HeldValue(const HeldValue& other) : bytes_(other.bytes_), references_(other.references_) {
  if (references_)
    server::for_each_reference(bytes(),
                               [&](wire::Reference reference) { references_->retain(reference.id); });
}

HeldValue::HeldValue(HeldValue&& other) noexcept
    : bytes_(std::exchange(other.bytes_, std::string(1, '\xc0'))),
      references_(std::move(other.references_)) {}

HeldValue& HeldValue::operator=(HeldValue other) noexcept {
  bytes_.swap(other.bytes_);
  references_.swap(other.references_);
  return *this;
}

HeldValue::~HeldValue() {
  if (references_)
    server::for_each_reference(bytes(),
                               [&](wire::Reference reference) { references_->release(reference.id); });
}

std::uint64_t HeldValue::memory_bytes() const {
  const bool in_place = bytes_.capacity() <= std::string().capacity();
  return sizeof(HeldValue) + (in_place ? 0 : bytes_.capacity() + 1);
}

HeldValue Codec<HeldValue>::decode(Decoder& from) {
  if (from.holder == nullptr) {
    const client::TakenValue taken(from);
    if (hosting::count_references(taken.bytes()) != 0)
      throw TypeError(
          "a HeldValue with references is for handlers of hosted types; a client takes them as proxies");
    return HeldValue(std::string(wire::as_text(taken.bytes())), nullptr);
  }
  wire::Bytes bytes;
  if (!from.reader.value(bytes)) throw ProtocolError("a value is not well-formed MessagePack");
  from.holder->held += hosting::count_references(bytes);
  return HeldValue(std::string(wire::as_text(bytes)), from.holder->references);
}

}  // namespace tandem
