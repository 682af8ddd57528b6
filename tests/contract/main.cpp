// The contract suites. `--every-operation` fails the run unless every operation that a hosted type declares
// was called by the tests that ran; what was called is told by the tests that reach the engine directly.

#include <gtest/gtest.h>

#include <iostream>
#include <set>
#include <sstream>
#include <string>

#include "tests/support/contract.hpp"
#include "tests/support/engine_connector.hpp"

namespace {

/// Gathers what each test says it called.
class Gatherer : public testing::EmptyTestEventListener {
 public:
  explicit Gatherer(std::set<std::string>& called) : called_(called) {}
  void OnTestEnd(const testing::TestInfo& test) override {
    for (int i = 0; i < test.result()->test_property_count(); ++i) {
      const testing::TestProperty& property = test.result()->GetTestProperty(i);
      if (property.key() != std::string(tandem::test::operations_called)) continue;
      std::istringstream names(property.value());
      for (std::string name; names >> name;) called_.insert(name);
    }
  }

 private:
  std::set<std::string>& called_;
};

bool all_were_called(const std::set<std::string>& called) {
  std::size_t missing = 0;
  for (const std::string& name : tandem::test::EngineHost(tandem::Limits{}).operations()) {
    if (called.contains(name)) continue;
    std::cerr << "never called: " << name << '\n';
    ++missing;
  }
  std::cout << called.size() << " operations were called, " << missing << " were not\n";
  return missing == 0 && !called.empty();
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const bool every_operation = argc > 1 && argv[1] == std::string("--every-operation");
  if (argc > (every_operation ? 2 : 1)) {
    std::cerr << "unknown argument " << argv[argc - 1] << '\n';
    return 2;
  }
  std::set<std::string> called;
  testing::UnitTest::GetInstance()->listeners().Append(new Gatherer(called));
  const bool passed = RUN_ALL_TESTS() == 0;
  const bool complete = !every_operation || all_were_called(called);
  return passed && complete ? 0 : 1;
}
