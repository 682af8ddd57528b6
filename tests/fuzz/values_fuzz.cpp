// Values as the engine sees them: two arbitrary values are validated, compared, hashed, ordered and added.

#include <algorithm>
#include <string>

#include "server/values/semantics.hpp"
#include "server/values/validate.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace tandem;
using namespace tandem::server;

namespace {

constexpr std::uint64_t depth_max = 128;

class EvenReference : public ReferenceCheck {
 public:
  Result<void> check(wire::Reference reference) const override {
    if (reference.id % 2 == 0) return {};
    return Failure{Code::object_gone, "odd objects are gone"};
  }
};

class CountingCounter : public ReferenceCounter {
 public:
  void retain(ObjectId) override { ++held; }
  void release(ObjectId) override { --held; }
  std::int64_t held = 0;
};

bool same(wire::Bytes a, wire::Bytes b) {
  return std::ranges::equal(a, b);
}

void require_expected(const Failure& failure) {
  REQUIRE(!failure.text.empty());
  REQUIRE(failure.code == Code::protocol_error || failure.code == Code::value_error ||
          failure.code == Code::type_error || failure.code == Code::overflow ||
          failure.code == Code::object_gone || failure.code == Code::resource_exhausted);
}

/// What the engine makes of values must itself be a value. Only depth may be one step beyond what was let in.
void require_value(const wire::Buffer& made) {
  wire::Reader reader(made.view());
  REQUIRE(validate(reader, depth_max + 1, EvenReference()) && reader.at_end());
}

void check_one(ValueView value) {
  wire::Reader again(value.bytes);
  Result<ValueView> valid = validate(again, depth_max, EvenReference());
  REQUIRE(valid && again.at_end() && valid->references == value.references);
  REQUIRE(are_equal(value, value));
  REQUIRE(!type_name(value).empty());
  REQUIRE(!describe(value).empty() && is_utf8(wire::as_bytes(describe(value))));

  CountingCounter counter;
  {
    Value kept(value, counter);
    REQUIRE(same(kept.view().bytes, value.bytes));
    REQUIRE((counter.held != 0) == value.references);
    Value moved = std::move(kept);
    REQUIRE(same(moved.view().bytes, value.bytes));
  }
  REQUIRE(counter.held == 0);
}

void check_arithmetic(ValueView a, ValueView b) {
  auto check = [](auto operation) {
    wire::Buffer made;
    Result<void> result = operation(made);
    if (result) require_value(made);
    else require_expected(result.failure());
  };
  check([&](wire::Buffer& out) { return add(a, b, out); });
  check([&](wire::Buffer& out) { return subtract(a, b, out); });
  for (Bitwise how : {Bitwise::conjunction, Bitwise::disjunction, Bitwise::exclusive})
    check([&](wire::Buffer& out) { return combine_bits(how, a, b, out); });
}

void check_two(ValueView a, ValueView b) {
  bool equal = are_equal(a, b);
  REQUIRE(equal == are_equal(b, a));

  Result<std::uint32_t> hash_a = hash_key(a, 7);
  Result<std::uint32_t> hash_b = hash_key(b, 7);
  if (equal) REQUIRE(bool(hash_a) == bool(hash_b));
  if (equal && hash_a) REQUIRE(*hash_a == *hash_b);

  Result<bool> less = is_less(a, b);
  Result<bool> greater = is_less(b, a);
  REQUIRE(bool(less) == bool(greater));
  if (less) {
    REQUIRE(!(*less && *greater));
    if (equal) REQUIRE(!*less && !*greater);
  } else {
    require_expected(less.failure());
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wire::Reader reader(wire::Bytes(data, size));
  Result<ValueView> a = validate(reader, depth_max, EvenReference());
  if (!a) return require_expected(a.failure()), 0;
  check_one(*a);
  Result<ValueView> b = validate(reader, depth_max, EvenReference());
  if (!b) return require_expected(b.failure()), 0;
  check_two(*a, *b);
  check_arithmetic(*a, *b);
  return 0;
}
