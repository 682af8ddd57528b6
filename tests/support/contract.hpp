#pragma once
// What the contract suites have in common: each test runs once for every way to reach a manager, against a
// manager of its own, and ends by asking it that nothing is left.
//
//   class DictContract : public test::ContractTest {};
//   TANDEM_CONTRACT_SUITE(DictContract);
//   TEST_P(DictContract, AtGivesWhatWasStored) { auto d = manager().dict(); … }

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/hosted/type.hpp"
#include "tandem/limits.hpp"
#include "tandem/manager.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/reach.hpp"

namespace tandem::test {

class EngineHost;

/// A manager in this process, and the way to it.
class Host {
 public:
  virtual ~Host() = default;
  /// One more client, with a session of its own.
  virtual Manager connect() = 0;
  /// The engine, where it is reached directly.
  virtual const EngineHost* engine() const { return nullptr; }
};

std::unique_ptr<Host> make_host(Reach reach, const Limits& limits, const std::vector<HostedType>& types = {});

class ContractTest : public ::testing::TestWithParam<Reach> {
 protected:
  /// For suites that need other limits than the defaults.
  virtual Limits limits() const { return {}; }
  /// For suites of hosted types that are not tandem's.
  virtual std::vector<HostedType> types() const { return {}; }

  void SetUp() override;
  /// Everything a test made must be gone, named objects apart.
  void TearDown() override;

  const Manager& manager() const { return *manager_; }
  /// Another client process, as far as the manager knows.
  Manager connect() { return host_->connect(); }

  /// References to an object, by sessions and containers together; 0 when it is gone.
  std::uint64_t references(const Proxy& proxy) const { return references(proxy.id()); }
  std::uint64_t references(std::uint64_t id) const;
  bool is_there(std::uint64_t id) const;
  /// Waits until this many requests wait in the manager.
  void wait_for_waiters(std::uint64_t count) const;
  std::size_t objects_count() const { return manager().objects().size(); }

 private:
  std::unique_ptr<Host> host_;
  std::optional<Manager> manager_;
};

/// What `out << value` prints.
template <class T>
std::string printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

/// A JSON value, as text.
inline nlohmann::json J(const char* text) {
  return nlohmann::json::parse(text);
}

/// For a test's property that says which operations it called (see main.cpp).
inline constexpr const char* operations_called = "operations_called";

#define TANDEM_SUITE_OVER(Suite, least)                             \
  INSTANTIATE_TEST_SUITE_P(                                         \
      , Suite, ::testing::ValuesIn(::tandem::test::reaches(least)), \
      [](const auto& info) { return std::string(::tandem::test::name_of(info.param)); })

#define TANDEM_CONTRACT_SUITE(Suite) TANDEM_SUITE_OVER(Suite, ::tandem::test::Between::none)

/// The same without the engine itself: for what is about channels.
#define TANDEM_CHANNEL_SUITE(Suite) TANDEM_SUITE_OVER(Suite, ::tandem::test::Between::channel)

}  // namespace tandem::test
