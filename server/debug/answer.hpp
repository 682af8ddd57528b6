#pragma once
// What the debug endpoint says to one request. Errors are JSON of one form: {"error": {"status": 404,
// "message": …}}.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace tandem::server {

/// One HTTP request, as far as the endpoint looks at it.
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
  std::vector<std::pair<std::string, std::string>> headers{};  // besides those that every answer has
};

/// Thrown while an answer is being made: the answer is this error.
struct Refused {
  int status;
  std::string message;
};

/// For people too: a line for each field, and a line for each element of a field. Text from outside need not
/// be UTF-8; what is not shows as U+FFFD.
std::string dump(const nlohmann::ordered_json& object);

Answer error_answer(int status, std::string_view message);

}  // namespace tandem::server
