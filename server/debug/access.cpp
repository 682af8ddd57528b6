#include "server/debug/access.hpp"

#include <openssl/crypto.h>

#include <algorithm>

#include "tandem/error.hpp"

namespace tandem::server {
namespace {

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_bearer_token(std::string_view token) {
  std::string_view body = token.substr(0, token.find_last_not_of('=') + 1);
  return !body.empty() && std::all_of(body.begin(), body.end(), [](char c) {
    return is_alphanumeric(c) || std::string_view("-._~+/").find(c) != std::string_view::npos;
  });
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

}  // namespace

Access::Access(std::string token, std::vector<std::string> own_hosts) : token_(std::move(token)) {
  if (!token_.empty() && token_.size() < token_bytes_min)
    throw ValueError("a debug token has at least " + std::to_string(token_bytes_min) + " characters");
  if (!token_.empty() && !is_bearer_token(token_))
    throw ValueError("a debug token is made of letters, digits and -._~+/, with = at its end only");
  hosts_ = {"localhost", "127.0.0.1", "[::1]"};
  for (const std::string& host : own_hosts) hosts_.push_back(lowered(host));
}

void Access::check(const Request& request) const {
  if (token_.empty()) return check_host(request);
  constexpr std::string_view scheme = "bearer ";
  std::string_view given = request.authorization;
  if (lowered(given.substr(0, scheme.size())) != scheme)
    throw Refused{401, "this needs the header Authorization: Bearer TOKEN"};
  given.remove_prefix(std::min(given.find_first_not_of(' ', scheme.size()), given.size()));
  if (given.size() != token_.size() || CRYPTO_memcmp(given.data(), token_.data(), token_.size()) != 0)
    throw Refused{401, "that is not the token"};
}

void Access::check_host(const Request& request) const {
  if (request.hosts.size() != 1) throw Refused{400, "a request has one Host header"};
  std::string host = host_without_port(request.hosts[0]);
  if (std::find(hosts_.begin(), hosts_.end(), host) == hosts_.end() || host.empty())
    throw Refused{421,
                  "the Host header must name this machine: localhost, 127.0.0.1, [::1], or the "
                  "endpoint's own address"};
}

std::string host_without_port(std::string_view host) {
  std::size_t end = host.starts_with('[') ? host.find(']') + 1 : host.find(':');
  if (host.starts_with('[') && end == 0) return {};
  std::string_view port = end < host.size() ? host.substr(end) : std::string_view();
  if (!port.empty() && port[0] != ':') return {};
  if (!std::all_of(port.begin() + !port.empty(), port.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return {};
  return lowered(host.substr(0, end));
}

}  // namespace tandem::server
