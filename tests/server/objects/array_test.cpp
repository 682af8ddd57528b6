#include "server/objects/array.hpp"

#include <gtest/gtest.h>

#include "tests/server/engine/host.hpp"

namespace tandem::test {
namespace {

using ops::Array;

/// The bytes of elements as C++ has them.
template <class T>
Packed elements(std::initializer_list<T> values) {
  return bytes({reinterpret_cast<const char*>(std::data(values)), values.size() * sizeof(T)});
}

class ArrayTest : public ::testing::Test {
 protected:
  template <class T>
  void begin_with(const char* typecode, const T& contents) {
    array_ = host_.make<Array>(typecode, contents);
  }
  template <class Op, class... T>
  Reply call(const T&... arguments) {
    return host_.call<Op>(array_, arguments...);
  }
  template <class Op, class... T>
  void expect_refused(Code code, const T&... arguments) {
    const Packed before = host_.saved();
    EXPECT_EQ((call<Op>(arguments...)), fails(code));
    EXPECT_EQ(host_.saved(), before);
  }
  template <class... T>
  Reply create(const T&... arguments) {
    return host_.call<ops::Manager::Create>(ops::Manager::id, "array", list(), list(arguments...));
  }

  Host host_;
  ObjectId array_ = 0;
};

TEST_F(ArrayTest, BeginsWithZerosOrWithElements) {
  begin_with("i", 3);
  EXPECT_EQ(call<Array::Slice>(), gives(elements<std::int32_t>({0, 0, 0})));
  EXPECT_EQ(call<Array::Size>(), gives(3));
  EXPECT_EQ(call<Array::TypeCode>(), gives("i"));
  begin_with("H", elements<std::uint16_t>({1, 65'535}));
  EXPECT_EQ(call<Array::At>(1), gives(65'535));
  begin_with("d", 0);
  EXPECT_EQ(call<Array::Size>(), gives(0));
  EXPECT_EQ(call<Array::Slice>(), gives(bytes("")));
  begin_with("q", bytes(""));
  EXPECT_EQ(call<Array::Size>(), gives(0));
}

TEST_F(ArrayTest, CannotBeginWithAnythingElse) {
  EXPECT_EQ(create("x", 3), fails(Code::value_error));
  EXPECT_EQ(create("", 3), fails(Code::value_error));
  EXPECT_EQ(create("i", -1), fails(Code::value_error));
  EXPECT_EQ(create("i", bytes("12345")), fails(Code::value_error));
  EXPECT_EQ(create("i", list(1, 2)), fails(Code::type_error));
  EXPECT_EQ(create("i", 1.0), fails(Code::type_error));
  EXPECT_EQ(create("i", true), fails(Code::type_error));
  EXPECT_EQ(create("i"), fails(Code::type_error));
  EXPECT_EQ(create("q", std::int64_t{1} << 60), fails(Code::resource_exhausted));
  EXPECT_EQ(create("b", INT64_MAX), fails(Code::resource_exhausted));
  EXPECT_EQ(host_.objects(), 0u);
}

TEST_F(ArrayTest, IsNoLargerThanThereIsRoom) {
  Limits limits;
  limits.memory_bytes_max = 1'000'000;
  Host host(limits);
  EXPECT_EQ((host.call<ops::Manager::Create>(ops::Manager::id, "array", list(), list("q", 200'000))),
            fails(Code::resource_exhausted));
  const std::uint64_t before = host.memory_bytes();
  const ObjectId array = host.make<Array>("q", 100'000);
  EXPECT_GE(host.memory_bytes(), before + 800'000);
  host.release(array);
  EXPECT_EQ(host.memory_bytes(), before);
}

TEST_F(ArrayTest, EveryTypeHoldsItsWholeRangeAndNoMore) {
  const struct {
    const char* typecode;
    std::size_t bytes;
    Packed least;
    Packed most;
    Packed too_little;
    Packed too_much;
  } table[] = {
      {"b", 1, pack(-128), pack(127), pack(-129), pack(128)},
      {"B", 1, pack(0), pack(255), pack(-1), pack(256)},
      {"h", 2, pack(-32'768), pack(32'767), pack(-32'769), pack(32'768)},
      {"H", 2, pack(0), pack(65'535), pack(-1), pack(65'536)},
      {"i", 4, pack(INT32_MIN), pack(INT32_MAX), pack(std::int64_t{INT32_MIN} - 1),
       pack(std::int64_t{INT32_MAX} + 1)},
      {"I", 4, pack(0), pack(UINT32_MAX), pack(-1), pack(std::int64_t{UINT32_MAX} + 1)},
      {"q", 8, pack(INT64_MIN), pack(INT64_MAX), big(std::string("\xff\0\0\0\0\0\0\0\0", 9)),
       pack(std::uint64_t{1} << 63)},
      {"Q", 8, pack(0), pack(UINT64_MAX), pack(-1), big(std::string("\x01\0\0\0\0\0\0\0\0", 9))},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.typecode);
    begin_with(row.typecode, 2);
    EXPECT_EQ(host_.engine().registry().find(array_)->memory_bytes(), 2 * row.bytes);
    EXPECT_EQ(call<Array::Set>(0, row.least), gives_nothing());
    EXPECT_EQ(call<Array::Set>(-1, row.most), gives_nothing());
    EXPECT_EQ(call<Array::At>(0), gives(row.least));
    EXPECT_EQ(call<Array::At>(1), gives(row.most));
    expect_refused<Array::Set>(Code::overflow, 0, row.too_little);
    expect_refused<Array::Set>(Code::overflow, 0, row.too_much);
    expect_refused<Array::Set>(Code::type_error, 0, 1.0);
    expect_refused<Array::Set>(Code::type_error, 0, "1");
    expect_refused<Array::Set>(Code::type_error, 0, nullptr);
    expect_refused<Array::Fill>(Code::overflow, row.too_much);
    EXPECT_EQ(call<Array::FetchAdd>(1, 1), gives(row.most));  // wraps
    EXPECT_EQ(call<Array::At>(1), gives(row.least));
    EXPECT_EQ(call<Array::FetchAdd>(0, -1), gives(row.least));
    EXPECT_EQ(call<Array::At>(0), gives(row.most));
    expect_refused<Array::FetchAdd>(Code::type_error, 0, 0.5);
  }
}

TEST_F(ArrayTest, FloatsTakeIntegersToo) {
  begin_with("d", 2);
  EXPECT_EQ(call<Array::Set>(0, 3), gives_nothing());
  EXPECT_EQ(call<Array::At>(0), gives(3.0));
  EXPECT_EQ(call<Array::FetchAdd>(0, 0.25), gives(3.0));
  EXPECT_EQ(call<Array::At>(0), gives(3.25));
  expect_refused<Array::Set>(Code::type_error, 0, "3");
  expect_refused<Array::Set>(Code::overflow, 0, big(std::string(1, '\x01') + std::string(200, '\0')));
  begin_with("f", 2);
  call<Array::Set>(0, 0.1);
  EXPECT_EQ(call<Array::At>(0), gives(0.1f));
  call<Array::Set>(0, 1e300);
  EXPECT_EQ(call<Array::At>(0), gives(std::numeric_limits<float>::infinity()));
}

TEST_F(ArrayTest, IndicesAreChecked) {
  begin_with("i", 3);
  for (std::int64_t outside : {std::int64_t{3}, std::int64_t{-4}, INT64_MAX, INT64_MIN}) {
    expect_refused<Array::At>(Code::index_error, outside);
    expect_refused<Array::Set>(Code::index_error, outside, 1);
    expect_refused<Array::FetchAdd>(Code::index_error, outside, 1);
  }
  EXPECT_EQ(call<Array::Set>(-3, 7), gives_nothing());
  EXPECT_EQ(call<Array::At>(0), gives(7));
}

TEST_F(ArrayTest, SlicesAsPython) {
  begin_with("h", elements<std::int16_t>({0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(call<Array::Slice>(1, 3), gives(elements<std::int16_t>({1, 2})));
  EXPECT_EQ(call<Array::Slice>(nullptr, nullptr, -2), gives(elements<std::int16_t>({5, 3, 1})));
  EXPECT_EQ(call<Array::Slice>(-2), gives(elements<std::int16_t>({4, 5})));
  EXPECT_EQ(call<Array::Slice>(4, 2), gives(bytes("")));
  expect_refused<Array::Slice>(Code::value_error, nullptr, nullptr, 0);
}

TEST_F(ArrayTest, SlicesAreAssignedInFull) {
  begin_with("h", elements<std::int16_t>({0, 1, 2, 3, 4}));
  EXPECT_EQ(call<Array::AssignSlice>(elements<std::int16_t>({10, 20}), 1, 3), gives_nothing());
  EXPECT_EQ(call<Array::AssignSlice>(elements<std::int16_t>({7, 8, 9}), nullptr, nullptr, -2),
            gives_nothing());
  EXPECT_EQ(call<Array::Slice>(), gives(elements<std::int16_t>({9, 10, 8, 3, 7})));
  expect_refused<Array::AssignSlice>(Code::value_error, elements<std::int16_t>({1}));
  expect_refused<Array::AssignSlice>(Code::value_error, bytes("12345"), 0, 2);
  expect_refused<Array::AssignSlice>(Code::value_error, bytes(""), 0, 2);
  expect_refused<Array::AssignSlice>(Code::type_error, list(1, 2), 0, 2);
  EXPECT_EQ(call<Array::AssignSlice>(bytes(""), 3, 1), gives_nothing());
  EXPECT_EQ(call<Array::AssignSlice>(elements<std::int16_t>({1}), 0, 2).text(),
            "attempt to assign 2 bytes to a slice of 2 elements of 2 bytes each");
}

TEST_F(ArrayTest, Fills) {
  begin_with("f", 3);
  EXPECT_EQ(call<Array::Fill>(1.5), gives_nothing());
  EXPECT_EQ(call<Array::Slice>(), gives(elements<float>({1.5f, 1.5f, 1.5f})));
  expect_refused<Array::Fill>(Code::type_error, "x");
}

TEST_F(ArrayTest, ASliceTooLargeToSendIsRefused) {
  Limits limits;
  limits.outbox_bytes_max = 8'192;
  Host host(limits);
  const ObjectId array = host.make<Array>("d", 2'000);
  EXPECT_EQ((host.call<Array::Slice>(array)), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<Array::Slice>(array, nullptr, nullptr, -1)), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<Array::Slice>(array, 0, 1'000)), gives(bytes(std::string(8'000, '\0'))));
}

}  // namespace
}  // namespace tandem::test
