#include "server/debug/exposition.hpp"

#include <charconv>

namespace tandem::server {
namespace {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

// The buckets shown, of the 40 of a histogram: 256 ns, four times that, … about one second.
constexpr std::size_t bucket_first = 8;
constexpr std::size_t bucket_last = 30;
constexpr std::size_t bucket_step = 2;

template <class Number>
std::string to_text(Number number) {
  char text[64];
  auto [end, error] = std::to_chars(text, text + sizeof text, number);
  return {text, end};
}

class Exposition {
 public:
  void begin(std::string_view name, std::string_view help, std::string_view kind) {
    name_ = "tandem_" + std::string(name);
    text_ +=
        "# HELP " + name_ + " " + escaped(help, false) + "\n# TYPE " + name_ + " " + std::string(kind) + "\n";
  }
  /// `suffix`: for a series of a histogram.
  template <class Number>
  void sample(std::string_view suffix, const Labels& labels, Number value) {
    text_.append(name_).append(suffix);
    for (std::size_t i = 0; i < labels.size(); ++i)
      text_.append(i == 0 ? "{" : ",")
          .append(labels[i].first)
          .append("=\"")
          .append(escaped(labels[i].second, true)) += '"';
    if (!labels.empty()) text_ += '}';
    text_.append(" ").append(to_text(value)) += '\n';
  }
  std::string take() { return std::move(text_); }

 private:
  static std::string escaped(std::string_view text, bool quoted) {
    std::string out;
    for (char c : text) {
      if (c == '\n') out += "\\n";
      else if (c == '\\' || (c == '"' && quoted)) out.append("\\") += c;
      else out += c;
    }
    return out;
  }

  std::string name_;
  std::string text_;
};

Labels labels_of(const CountedOperation& one) {
  return {{"type", std::string(one.operation.type->name)}, {"op", std::string(one.operation.op->name)}};
}

void write_histogram(Exposition& out, Labels labels, const OperationCounts& counts) {
  labels.emplace_back("le", "");
  std::uint64_t below = 0;
  std::size_t bucket = 0;
  for (std::size_t shown = bucket_first; shown <= bucket_last; shown += bucket_step) {
    for (; bucket <= shown; ++bucket) below += counts.latency_counts[bucket];
    // Durations are whole nanoseconds below 2^shown, and `le` means less or equal.
    labels.back().second = to_text(static_cast<double>((std::uint64_t{1} << shown) - 1) / 1e9);
    out.sample("_bucket", labels, below);
  }
  for (; bucket < OperationCounts::bucket_count; ++bucket) below += counts.latency_counts[bucket];
  labels.back().second = "+Inf";
  out.sample("_bucket", labels, below);
  labels.pop_back();
  out.sample("_sum", labels, static_cast<double>(counts.latency_sum_ns) / 1e9);
  out.sample("_count", labels, below);
}

void write_operations(Exposition& out, const MetricsSnapshot& snapshot) {
  out.begin("operations_total", "Operations carried out, those with an error included.", "counter");
  for (const CountedOperation& one : snapshot.operations) out.sample("", labels_of(one), one.counts.count);
  out.begin("operation_errors_total", "Operations whose outcome was an error.", "counter");
  for (const CountedOperation& one : snapshot.operations) out.sample("", labels_of(one), one.counts.errors);
  out.begin("operation_seconds", "Time that operations took inside the manager.", "histogram");
  for (const CountedOperation& one : snapshot.operations)
    if (one.counts.count != 0) write_histogram(out, labels_of(one), one.counts);
  out.begin("operations_unresolved_total", "Requests for objects or operations that are not there.",
            "counter");
  out.sample("", {}, snapshot.unresolved.count);
}

void write_others(Exposition& out, const std::vector<Metric>& metrics) {
  std::string_view before;
  for (const Metric& metric : metrics) {
    bool counter = metric.kind == Metric::Kind::counter;
    if (metric.name != before)
      out.begin(std::string(metric.name) + (counter ? "_total" : ""), metric.help,
                counter ? "counter" : "gauge");
    before = metric.name;
    out.sample("", metric.labels, metric.value);
  }
}

}  // namespace

std::vector<CountedOperation> copy_operations(const View& view) {
  std::span<const Engine::Operation> operations = view.engine().operations();
  std::vector<CountedOperation> copies;
  copies.reserve(operations.size());
  for (std::size_t i = 0; i < operations.size(); ++i) copies.push_back({operations[i], view.operation(i)});
  return copies;
}

MetricsSnapshot copy_metrics(const View& view) {
  MetricsSnapshot snapshot{copy_operations(view), view.unresolved(), view.metrics()};
  const Engine& engine = view.engine();
  auto gauge = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    snapshot.others.push_back({name, help, Metric::Kind::gauge, {}, static_cast<double>(value)});
  };
  gauge("objects", "Hosted objects.", engine.registry().size());
  gauge("sessions", "Client processes.", view.sessions_count());
  gauge("objects_memory_bytes", "Memory held by hosted objects.", engine.registry().memory_bytes());
  gauge("memory_bytes_max", "Limit of the memory held by objects and messages.",
        engine.limits().memory_bytes_max);
  gauge("start_time_seconds", "When the manager was started, as Unix time.", 0);
  snapshot.others.back().value = static_cast<double>(engine.server_info().started_ms) / 1e3;
  snapshot.others.push_back(
      {"info",
       "Always 1; its labels say which manager this is.",
       Metric::Kind::gauge,
       {{"version", engine.server_info().version}, {"incarnation", engine.server_info().incarnation_hex}},
       1});
  return snapshot;
}

std::string to_exposition(const MetricsSnapshot& snapshot, double uptime_s) {
  Exposition out;
  write_operations(out, snapshot);
  write_others(out, snapshot.others);
  out.begin("uptime_seconds", "Time since the manager was started.", "gauge");
  out.sample("", {}, uptime_s);
  return out.take();
}

}  // namespace tandem::server
