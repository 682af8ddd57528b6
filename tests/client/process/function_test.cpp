#include "tandem/function.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tandem/error.hpp"

namespace tandem {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

double area(double width, double height) {
  return width * height;
}
double sum(double a, double b) {
  return a + b;
}
std::string joined(const std::vector<std::string>& words, std::string between) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : between) + word;
  return all;
}
void nothing() {}
int never_throws(int n) noexcept {
  return -n;
}
struct Unwritable {
  int n;
};
Unwritable gives_unwritable() {
  return {1};
}

/// What the function gives for these arguments, which are encoded as another process would.
template <class R, class F, class... A>
R called(F function, const A&... arguments) {
  wire::Buffer in;
  Encoder to{wire::Writer(in)};
  client::encode_call<F>(to, arguments...);
  wire::Buffer out;
  Encoder result{wire::Writer(out)};
  Decoder from{wire::Reader(in.view()), nullptr};
  Function::find(Function(function).id()).call(from, &result);
  EXPECT_TRUE(from.reader.at_end());
  Decoder answer{wire::Reader(out.view()), nullptr};
  return Codec<R>::decode(answer);
}

void call_with(Function function, const json& arguments) {
  wire::Buffer in;
  wire::Writer writer(in);
  write_json(writer, arguments);
  Decoder from{wire::Reader(in.view()), nullptr};
  function.call(from, nullptr);
}

TEST(Function, IsFoundByItsIdAndCalled) {
  EXPECT_EQ(called<double>(area, 3.0, 4.0), 12);
  EXPECT_EQ(called<double>(sum, 3, 4), 7) << "arguments become what the parameters are";
  EXPECT_EQ(called<std::string>(joined, std::vector<std::string>{"a", "b"}, ", "), "a, b");
  EXPECT_EQ(called<json>(nothing), nullptr);
  EXPECT_EQ(called<int>(never_throws, 4), -4);
  EXPECT_EQ(called<json>(gives_unwritable), nullptr);
}

TEST(Function, MayBeACaptureLessLambda) {
  EXPECT_EQ(called<int>([](int a, int b) { return a * b; }, 6, 7), 42);
  auto one = [](int a) { return a + 1; };
  auto other = [](int a) { return a + 2; };
  EXPECT_EQ(called<int>(one, 1), 2);
  EXPECT_EQ(called<int>(other, 1), 3);
  static_assert(!client::PlainFunction<decltype([x = 1] { return x; })>);
  static_assert(!client::PlainFunction<decltype([](auto x) { return x; })>);
  static_assert(!client::can_call<decltype(one), std::string>);
  static_assert(!client::can_call<decltype(one)>);
}

TEST(Function, IdsTellFunctionsApart) {
  EXPECT_NE(Function(area).id(), Function(sum).id());
  EXPECT_EQ(Function(area).id(), Function(&area).id());
  EXPECT_EQ(Function::find(Function(area).id()), Function(area));
  EXPECT_THAT(Function(area).id(), StartsWith("@"));
}

TEST(Function, WrongArgumentsAreRefused) {
  EXPECT_THROW(call_with(area, json{1}), TypeError);
  EXPECT_THROW(call_with(area, json{1, 2, 3}), TypeError);
  EXPECT_THROW(call_with(area, json{1, "two"}), TypeError);
  EXPECT_THROW(call_with(area, 5), TypeError);
  EXPECT_THROW(call_with(area, json::object()), TypeError);
  call_with(area, json{1, 2});
}

TEST(Function, ExceptionsPass) {
  EXPECT_THROW(call_with([] { throw KeyError("k"); }, json::array()), KeyError);
  EXPECT_THROW(call_with([](int) { throw 5; }, json{1}), int);
}

TEST(Function, IdsOfOthersAreNotFound) {
  const std::string id = Function(area).id();
  const std::string build = id.substr(1, id.find('+') - 1);
  const std::string offsets = id.substr(id.find('+'));
  EXPECT_THROW(Function::find("@0123456789abcdef" + offsets), NotFound);
  EXPECT_THROW(Function::find("@" + offsets), NotFound);
  for (const std::string& bad : {std::string(), std::string("area"), std::string("@"), "@" + build,
                                 "@" + build + "+", "@" + build + "+1", "@" + build + "+zz+1", id + "+1",
                                 id + " ", "@" + build + "+ffffffffffffffff+ffffffffffffffff",
                                 "@" + build + "+1ffffffffffffffff+1", "@" + build + "+0+0"})
    EXPECT_THROW(Function::find(bad), ValueError) << bad;
}

TEST(Function, OnlyAFunctionAndItsOwnInvokerAreCalled) {
  const std::string id = Function(area).id();
  const std::size_t first = id.find('+'), second = id.rfind('+');
  const std::string module = id.substr(0, first);
  const auto function = std::stoull(id.substr(first + 1, second - first - 1), nullptr, 16);
  const auto invoker = std::stoull(id.substr(second + 1), nullptr, 16);
  auto made = [&](unsigned long long of, unsigned long long by) {
    std::ostringstream text;
    text << module << std::hex << "+" << of << "+" << by;
    return text.str();
  };
  EXPECT_EQ(Function::find(made(function, invoker)), Function(area));
  for (const std::string& bad :
       {made(function + 1, invoker), made(function + 4, invoker), made(function, invoker + 1),
        made(function, function), made(invoker, function), made(function, invoker + 4)})
    try {
      Function::find(bad);
      ADD_FAILURE() << bad << " is taken for a function";
    } catch (const ValueError& error) {
      EXPECT_THAT(error.what(), HasSubstr("names no function of this program")) << bad;
    }
}

TEST(Functions, HaveNames) {
  const Functions functions{{"area", area}, {"double", [](int n) { return 2 * n; }}};
  EXPECT_EQ(functions.id_of(area), "area");
  EXPECT_EQ(functions.find("area"), Function(area));
  EXPECT_EQ(functions.id_of(sum), Function(sum).id());
  EXPECT_EQ(functions.find(Function(sum).id()), Function(sum)) << "what has no name is found all the same";
  try {
    (void)functions.find("volume");
    FAIL();
  } catch (const NotFound& error) {
    EXPECT_THAT(error.what(), HasSubstr("area, double"));
  }
}

TEST(Functions, NamesAreClearAndStandOnce) {
  Functions functions;
  functions.add("area", area);
  EXPECT_THROW(functions.add("area", sum), ValueError);
  EXPECT_THROW(functions.add("", sum), ValueError);
  EXPECT_THROW(functions.add("@x", sum), ValueError);
  EXPECT_EQ(functions.find("area"), Function(area));
}

}  // namespace
}  // namespace tandem
