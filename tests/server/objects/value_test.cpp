#include "server/objects/value.hpp"

#include <gtest/gtest.h>

#include "tests/server/engine/host.hpp"

namespace tandem::test {
namespace {

using Cell = ops::Value;

class HostedValueTest : public ::testing::Test {
 protected:
  template <class T>
  void begin_with(const T& initial) {
    cell_ = host_.make<Cell>(initial);
  }
  template <class Op, class... T>
  Reply call(const T&... arguments) {
    return host_.call<Op>(cell_, arguments...);
  }
  template <class Op, class... T>
  void expect_refused(Code code, const T&... arguments) {
    const Packed before = host_.saved();
    EXPECT_EQ((call<Op>(arguments...)), fails(code));
    EXPECT_EQ(host_.saved(), before);
  }

  Host host_;
  ObjectId cell_ = 0;
};

TEST_F(HostedValueTest, LoadsStoresAndExchanges) {
  begin_with("a");
  EXPECT_EQ(call<Cell::Load>(), gives("a"));
  EXPECT_EQ(call<Cell::Store>(list(1, 2)), gives_nothing());
  EXPECT_EQ(call<Cell::Exchange>(nullptr), gives(list(1, 2)));
  EXPECT_EQ(call<Cell::Load>(), gives(nullptr));
}

TEST_F(HostedValueTest, ComparesByEquality) {
  begin_with(1);
  EXPECT_EQ(call<Cell::CompareExchange>(2, "no"), gives(list(false, 1)));
  EXPECT_EQ(call<Cell::CompareExchange>(1.0, "yes"), gives(list(true, 1)));
  EXPECT_EQ(call<Cell::Load>(), gives("yes"));
}

TEST_F(HostedValueTest, WithoutATypecodeItAddsAsPython) {
  begin_with("a");
  EXPECT_EQ(call<Cell::FetchAdd>("b"), gives("a"));
  EXPECT_EQ(call<Cell::Load>(), gives("ab"));
  expect_refused<Cell::FetchAdd>(Code::type_error, 1);
  expect_refused<Cell::FetchSub>(Code::type_error, "b");
  call<Cell::Store>(UINT64_MAX);
  expect_refused<Cell::FetchAdd>(Code::overflow, 1);
  EXPECT_EQ(call<Cell::FetchSub>(1, nullptr), gives(UINT64_MAX));
  EXPECT_EQ(call<Cell::Load>(), gives(UINT64_MAX - 1));
}

TEST_F(HostedValueTest, WithATypecodeIntegersWrap) {
  const struct {
    const char* typecode;
    Packed before;
    Packed operand;
    Packed after;
  } table[] = {
      {"b", pack(127), pack(1), pack(-128)},
      {"b", pack(-128), pack(-1), pack(127)},
      {"B", pack(255), pack(1), pack(0)},
      {"B", pack(0), pack(-1), pack(255)},
      {"h", pack(32'767), pack(1), pack(-32'768)},
      {"H", pack(65'535), pack(2), pack(1)},
      {"i", pack(INT32_MAX), pack(1), pack(INT32_MIN)},
      {"I", pack(UINT32_MAX), pack(1), pack(0)},
      {"q", pack(INT64_MAX), pack(1), pack(INT64_MIN)},
      {"q", pack(INT64_MIN), pack(-1), pack(INT64_MAX)},
      {"Q", pack(UINT64_MAX), pack(1), pack(0)},
      {"Q", pack(1), pack(UINT64_MAX), pack(0)},
      {"B", pack(10), pack(256 * 3 + 5), pack(15)},  // the operand wraps too
      {"i", pack(true), pack(true), pack(2)},
      {"d", pack(1), pack(0.5), pack(1.5)},
      {"d", pack(0.5), pack(1), pack(1.5)},
      {"f", pack(16'777'216.0f), pack(1.0f), pack(16'777'216.0f)},  // float's precision, not double's
      {"f", pack(0.1f), pack(0.2f), pack(0.1f + 0.2f)},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.typecode);
    begin_with(row.before);
    EXPECT_EQ(call<Cell::FetchAdd>(row.operand, row.typecode), gives(row.before));
    EXPECT_EQ(call<Cell::Load>(), gives(row.after));
  }
  begin_with(-128);
  EXPECT_EQ(call<Cell::FetchSub>(1, "b"), gives(-128));
  EXPECT_EQ(call<Cell::Load>(), gives(127));
}

TEST_F(HostedValueTest, ATypecodeRefusesWhatIsNotOfItsType) {
  begin_with(1);
  expect_refused<Cell::FetchAdd>(Code::value_error, 1, "x");
  expect_refused<Cell::FetchAdd>(Code::value_error, 1, "");
  expect_refused<Cell::FetchAdd>(Code::value_error, 1, "ii");
  expect_refused<Cell::FetchAdd>(Code::type_error, 1, 5);
  expect_refused<Cell::FetchAdd>(Code::type_error, 0.5, "i");
  expect_refused<Cell::FetchAdd>(Code::type_error, "1", "i");
  expect_refused<Cell::FetchAdd>(Code::type_error, "1", "d");
  expect_refused<Cell::FetchSub>(Code::overflow, big(std::string("\x01\0\0\0\0\0\0\0\0\0", 10)), "q");
  call<Cell::Store>(300);
  expect_refused<Cell::FetchAdd>(Code::overflow, 1, "B");
  call<Cell::Store>(1.5);
  expect_refused<Cell::FetchAdd>(Code::type_error, 1, "q");
}

TEST_F(HostedValueTest, BitOperationsGiveWhatWasBefore) {
  begin_with(12);
  EXPECT_EQ(call<Cell::FetchAnd>(10), gives(12));
  EXPECT_EQ(call<Cell::FetchOr>(3), gives(8));
  EXPECT_EQ(call<Cell::FetchXor>(1), gives(11));
  EXPECT_EQ(call<Cell::Load>(), gives(10));
  expect_refused<Cell::FetchAnd>(Code::type_error, 1.0);
  expect_refused<Cell::FetchXor>(Code::type_error, "x");
  call<Cell::Store>(true);
  EXPECT_EQ(call<Cell::FetchXor>(true), gives(true));
  EXPECT_EQ(call<Cell::Load>(), gives(false));
}

TEST_F(HostedValueTest, WhatCannotBeSentIsNotReplaced) {
  Limits limits;
  limits.outbox_bytes_max = 8'192;
  Host host(limits);
  const ObjectId cell = host.make<Cell>(std::string(9'000, 'a'));
  const Packed before = host.saved();
  EXPECT_EQ((host.call<Cell::Exchange>(cell, 1)), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<Cell::FetchAdd>(cell, "b")), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<Cell::CompareExchange>(cell, std::string(9'000, 'a'), 1)),
            fails(Code::resource_exhausted));
  EXPECT_EQ(host.saved(), before);
}

}  // namespace
}  // namespace tandem::test
