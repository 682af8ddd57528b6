#pragma once
// Who may look. Without a token: whoever can connect, which is then this machine only, and not through a
// browser that a web page has led here (DNS rebinding): the Host header must name this machine. With a token:
// whoever knows it, under any Host, since such a page does not.

#include <string>
#include <string_view>
#include <vector>

#include "server/debug/answer.hpp"

namespace tandem::server {

class Access {
 public:
  /// Shortest token that is taken.
  static constexpr std::size_t token_bytes_min = 16;

  /// `token` empty: none. `own_hosts`: what the endpoint's address is called besides localhost, 127.0.0.1 and
  /// [::1]. Throws ValueError for a token that is short or cannot stand in a header (RFC 6750, b64token).
  Access(std::string token, std::vector<std::string> own_hosts);

  /// Throws Refused: 400 for no Host or several, 421 for a Host that is not this machine; 401 for no token or
  /// another.
  void check(const Request& request) const;

 private:
  void check_host(const Request& request) const;

  std::string token_;
  std::vector<std::string> hosts_;
};

/// The host in "host:port", "host", "[::1]:port" or "[::1]", in lower case; empty where it is none of these.
std::string host_without_port(std::string_view host);

}  // namespace tandem::server
