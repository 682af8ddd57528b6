#pragma once
// A reader of Prometheus' text exposition format 0.0.4 that says what is wrong with a text.

#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace tandem::server {

struct Exposition {
  using Labels = std::map<std::string, std::string>;

  std::map<std::string, std::string> types;  // by metric
  std::map<std::pair<std::string, Labels>, double> samples;
  std::vector<std::string> problems;

  static Exposition parse(const std::string& text) {
    Exposition parsed;
    if (text.empty() || text.back() != '\n')
      parsed.problems.push_back("the text does not end with a line end");
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1)
      parsed.parse_line(text.substr(begin, end - begin));
    parsed.check_histograms();
    return parsed;
  }

  double value(const std::string& name, const Labels& labels) const { return samples.at({name, labels}); }

 private:
  void problem(const std::string& what, const std::string& line) { problems.push_back(what + ": " + line); }

  void parse_line(const std::string& line) {
    static const std::regex help("# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)");
    static const std::regex type(
        "# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)");
    std::smatch match;
    if (line.starts_with("# HELP")) {
      if (!std::regex_match(line, match, help) || !helped_.insert(match[1]).second) problem("bad HELP", line);
    } else if (line.starts_with("# TYPE")) {
      if (!std::regex_match(line, match, type) || !types.emplace(match[1], match[2]).second)
        return problem("bad TYPE", line);
      current_ = match[1];
      bool total = current_.ends_with("_total");
      if ((match[2] == "counter") != total) problem("counters, and only they, end with _total", line);
    } else {
      parse_sample(line);
    }
  }

  void parse_sample(const std::string& line) {
    static const std::regex name_form("([a-zA-Z_:][a-zA-Z0-9_:]*)");
    std::size_t at = line.find_first_of("{ ");
    if (at == line.npos || !std::regex_match(line.substr(0, at), name_form)) return problem("bad name", line);
    std::string name = line.substr(0, at);
    Labels labels;
    if (line[at] == '{' && !parse_labels(line, at, labels)) return problem("bad labels", line);
    if (at >= line.size() || line[at] != ' ') return problem("no value", line);
    std::optional<double> value = parse_value(line.substr(at + 1));
    if (!value) return problem("bad value", line);
    if (!belongs_to_current(name)) problem("stands apart from its TYPE", line);
    if (!helped_.contains(current_)) problem("has no HELP", line);
    if (!samples.emplace(std::pair(name, labels), *value).second) problem("stands twice", line);
  }

  bool belongs_to_current(const std::string& name) const {
    auto type = types.find(current_);
    if (type == types.end()) return false;
    if (type->second != "histogram") return name == current_;
    return name == current_ + "_bucket" || name == current_ + "_sum" || name == current_ + "_count";
  }

  /// `at` stands on '{', and behind '}' afterwards.
  static bool parse_labels(const std::string& line, std::size_t& at, Labels& labels) {
    static const std::regex label_form("[a-zA-Z_][a-zA-Z0-9_]*");
    while (line[at] != '}') {
      std::size_t equals = line.find("=\"", at);
      if (equals == line.npos) return false;
      std::string label = line.substr(at + 1, equals - at - 1);
      if (!std::regex_match(label, label_form)) return false;
      std::string value;
      for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] != '\\') {
          value += line[at];
          continue;
        }
        if (++at == line.size()) return false;
        if (line[at] == 'n') value += '\n';
        else if (line[at] == '\\' || line[at] == '"') value += line[at];
        else return false;
      }
      if (at + 1 >= line.size() || !labels.emplace(label, value).second) return false;
      ++at;
      if (line[at] != ',' && line[at] != '}') return false;
    }
    ++at;
    return true;
  }

  static std::optional<double> parse_value(const std::string& text) {
    if (text == "+Inf") return std::numeric_limits<double>::infinity();
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  }

  void check_histograms() {
    std::map<std::pair<std::string, Labels>, std::map<double, double>> histograms;
    for (const auto& [key, value] : samples) {
      auto [name, labels] = key;
      if (!name.ends_with("_bucket")) continue;
      std::optional<double> bound = labels.contains("le") ? parse_value(labels["le"]) : std::nullopt;
      if (!bound) {
        problem("a bucket without a bound", name);
        continue;
      }
      labels.erase("le");
      histograms[{name.substr(0, name.size() - 7), labels}][*bound] = value;
    }
    for (const auto& [key, buckets] : histograms) {
      const auto& [name, labels] = key;
      double before = 0;
      for (const auto& [bound, count] : buckets) {
        if (count < before) problem("buckets are not cumulative", name);
        before = count;
      }
      if (buckets.rbegin()->first != std::numeric_limits<double>::infinity()) problem("no +Inf bucket", name);
      auto count = samples.find({name + "_count", labels});
      if (count == samples.end() || count->second != before) problem("_count is not the +Inf bucket", name);
      if (!samples.contains({name + "_sum", labels})) problem("no _sum", name);
    }
  }

  std::set<std::string> helped_;
  std::string current_;
};

}  // namespace tandem::server
