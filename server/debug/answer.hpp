#pragma once
// The debug endpoint's answer to one request. Errors are JSON of one form:
//   {"error": {"status": 404, "message": …}}

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace tandem::server {

/// One HTTP request, as far as the endpoint uses it.
struct Request {
  std::string method;
  std::string target;              // as sent: path and query, percent-encoded
  std::vector<std::string> hosts;  // every Host header
  std::string authorization;       // empty: none
};

struct Answer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers{};  // in addition to those of every answer
};

/// Thrown while an answer is made: the answer is then this error.
struct Refused {
  int status;
  std::string message;
};

/// Formatted for people too: a line for each field, and a line for each element of a field. External text
/// need not be UTF-8; invalid bytes are shown as U+FFFD.
std::string dump(const nlohmann::ordered_json& object);

Answer error_answer(int status, std::string_view message);

}  // namespace tandem::server
