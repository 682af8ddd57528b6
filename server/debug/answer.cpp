#include "server/debug/answer.hpp"

namespace tandem::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr int levels_expanded = 2;

void append(std::string& out, const Json& json, int level) {
  if (level == levels_expanded || !json.is_structured() || json.empty()) {
    out += json.dump(-1, ' ', false, Json::error_handler_t::replace);
    return;
  }
  out += json.is_object() ? '{' : '[';
  const char* separator = "";
  for (auto at = json.begin(); at != json.end(); ++at) {
    out.append(separator).append("\n").append(static_cast<std::size_t>(level) + 1, ' ');
    if (json.is_object()) out += Json(at.key()).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
    append(out, *at, level + 1);
    separator = ",";
  }
  out.append("\n").append(static_cast<std::size_t>(level), ' ') += json.is_object() ? '}' : ']';
}

}  // namespace

std::string dump(const Json& object) {
  std::string out;
  append(out, object, 0);
  return out + "\n";
}

Answer error_answer(int status, std::string_view message) {
  Answer answer;
  answer.status = status;
  answer.body = dump({{"error", {{"status", status}, {"message", message}}}});
  return answer;
}

}  // namespace tandem::server
