#include "server/debug/exposition.hpp"

#include "tests/server/debug/exposition_parser.hpp"
#include "tests/server/debug/fixture.hpp"

namespace tandem::server {
namespace {

class MetricsTest : public DebugTest {
 protected:
  Exposition metrics() {
    Answer got = answer("/metrics");
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.content_type, "text/plain; version=0.0.4; charset=utf-8");
    return Exposition::parse(got.body);
  }
  OperationCounts& counts(std::string_view type, std::string_view op) {
    auto operations = engine_.operations();
    for (std::size_t i = 0; i < operations.size(); ++i)
      if (operations[i].type->name == type && operations[i].op->name == op) return view_.operations[i];
    throw std::out_of_range("no such operation");
  }
};

TEST_F(MetricsTest, AreWellFormedWithNothingCounted) {
  Exposition all = metrics();
  EXPECT_EQ(all.problems, std::vector<std::string>());
  EXPECT_EQ(all.value("tandem_operations_total", {{"type", "dict"}, {"op", "set"}}), 0);
  EXPECT_EQ(all.value("tandem_objects", {}), 0);
  EXPECT_EQ(all.value("tandem_start_time_seconds", {}), 1'700'000'000.5);
  EXPECT_EQ(all.value("tandem_info", {{"version", "1.2.3"}, {"incarnation", "00ff"}}), 1);
}

TEST_F(MetricsTest, CountOperations) {
  OperationCounts& set = counts("dict", "set");
  set.count = 6;
  set.errors = 2;
  set.latency_counts[0] = 1;   // 0 ns
  set.latency_counts[8] = 1;   // below 256 ns
  set.latency_counts[9] = 1;   // below 512 ns
  set.latency_counts[30] = 1;  // below 2^30 ns
  set.latency_counts[39] = 2;
  set.latency_sum_ns = 2'500'000'000;
  view_.unresolved_counts.count = 3;
  Exposition all = metrics();
  EXPECT_EQ(all.problems, std::vector<std::string>());
  const Exposition::Labels labels{{"type", "dict"}, {"op", "set"}};
  EXPECT_EQ(all.value("tandem_operations_total", labels), 6);
  EXPECT_EQ(all.value("tandem_operation_errors_total", labels), 2);
  EXPECT_EQ(all.value("tandem_operations_unresolved_total", {}), 3);
  EXPECT_EQ(all.value("tandem_operation_seconds_count", labels), 6);
  EXPECT_EQ(all.value("tandem_operation_seconds_sum", labels), 2.5);
  auto bucket = [&](const char* le) {
    return all.value("tandem_operation_seconds_bucket", {{"type", "dict"}, {"op", "set"}, {"le", le}});
  };
  EXPECT_EQ(bucket("2.55e-07"), 2);
  EXPECT_EQ(bucket("1.023e-06"), 3);
  EXPECT_EQ(bucket("1.073741823"), 4);
  EXPECT_EQ(bucket("+Inf"), 6);
  EXPECT_EQ(all.types.at("tandem_operation_seconds"), "histogram");
}

TEST_F(MetricsTest, OthersKeepTheirLabels) {
  view_.others.push_back({"handshakes_failed",
                          "Why, with a \\ and\na line end.",
                          Metric::Kind::counter,
                          {{"reason", "quote \" backslash \\ line\nend"}},
                          7});
  view_.others.push_back({"handshakes_failed",
                          "Why, with a \\ and\na line end.",
                          Metric::Kind::counter,
                          {{"reason", "plain"}},
                          1e15});
  view_.others.push_back({"messages_bytes", "Bytes.", Metric::Kind::gauge, {}, 0.5});
  Exposition all = metrics();
  EXPECT_EQ(all.problems, std::vector<std::string>());
  EXPECT_EQ(all.value("tandem_handshakes_failed_total", {{"reason", "quote \" backslash \\ line\nend"}}), 7);
  EXPECT_EQ(all.value("tandem_handshakes_failed_total", {{"reason", "plain"}}), 1e15);
  EXPECT_EQ(all.value("tandem_messages_bytes", {}), 0.5);
  EXPECT_EQ(all.types.at("tandem_handshakes_failed_total"), "counter");
}

TEST(ExpositionParser, SeesWhatIsWrong) {
  auto problems = [](const std::string& text) { return Exposition::parse(text).problems.size(); };
  const std::string head = "# HELP a_total x\n# TYPE a_total counter\n";
  EXPECT_EQ(problems(head + "a_total 1\n"), 0u);
  EXPECT_NE(problems("a_total 1\n"), 0u);
  EXPECT_NE(problems(head + "a_total 1"), 0u);
  EXPECT_NE(problems(head + "a_total x\n"), 0u);
  EXPECT_NE(problems(head + "a_total 1\na_total 1\n"), 0u);
  EXPECT_NE(problems(head + "a_total{l=\"x} 1\n"), 0u);
  EXPECT_NE(problems(head + "a_total{0=\"x\"} 1\n"), 0u);
  EXPECT_NE(problems(head + head), 0u);
  EXPECT_NE(problems("# HELP a x\n# TYPE a counter\na 1\n"), 0u);
  const std::string histogram = "# HELP h x\n# TYPE h histogram\n";
  EXPECT_EQ(problems(histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"), 0u);
  EXPECT_NE(problems(histogram + "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"), 0u);
  EXPECT_NE(problems(histogram + "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n"), 0u);
  EXPECT_NE(problems(histogram + "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n"), 0u);
}

}  // namespace
}  // namespace tandem::server
