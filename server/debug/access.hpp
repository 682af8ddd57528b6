#pragma once
// Access control. Without a token: every client on this machine, but no browser that a web page has led here
// (DNS rebinding): the Host header must name this machine. With a token: every client that knows it, under
// any Host, since such a page does not know it.

#include <string>
#include <string_view>
#include <vector>

#include "server/debug/answer.hpp"

namespace tandem::server {

class Access {
 public:
  /// Minimum length of a token.
  static constexpr std::size_t token_bytes_min = 16;

  /// `token` empty: none. `own_hosts`: names of the endpoint's address besides localhost, 127.0.0.1 and
  /// [::1]. Throws ValueError for a token that is too short or cannot be sent in a header (RFC 6750,
  /// b64token).
  Access(std::string token, std::vector<std::string> own_hosts);

  /// Throws Refused. With a token: 401 if the request has none or another. Without: 400 for no Host or
  /// several, 421 for a Host that is not this machine.
  void check(const Request& request) const;

 private:
  void check_host(const Request& request) const;

  std::string token_;
  std::vector<std::string> hosts_;
};

/// Returns the host of "host:port", "host", "[::1]:port" or "[::1]", in lower case; empty if it is none of
/// these.
std::string host_without_port(std::string_view host);

}  // namespace tandem::server
