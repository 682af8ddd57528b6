#include "tandem/address.hpp"

#include <charconv>

#include "tandem/error.hpp"

namespace tandem {
namespace {

// sockaddr_un::sun_path has 108 bytes, one of which is the terminating zero, or the leading one of an
// abstract name.
constexpr std::size_t unix_path_bytes_max = 107;

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw ValueError("address \"" + std::string(text) + "\": " + std::string(why) +
                   " (an address is unix:/path, unix:@abstract-name or tcp://host:port)");
}

}  // namespace

Address Address::parse(std::string_view text) {
  Address address;
  if (text.starts_with("unix:")) {
    std::string_view rest = text.substr(5);
    if (rest.starts_with("//")) rest.remove_prefix(2);     // unix:///path is the same as unix:/path
    while (rest.starts_with("//")) rest.remove_prefix(1);  // as is any number of slashes
    address.kind_ = rest.starts_with('@') ? Kind::unix_abstract : Kind::unix_path;
    if (address.kind_ == Kind::unix_abstract) rest.remove_prefix(1);
    if (rest.empty()) refuse(text, "the socket's path is empty");
    if (rest.find('\0') != rest.npos) refuse(text, "the socket's path has a zero byte");
    if (rest.size() > unix_path_bytes_max)
      refuse(text, "the socket's path has " + std::to_string(rest.size()) +
                       " bytes, and the system takes at most " + std::to_string(unix_path_bytes_max) +
                       "; use a shorter path, or an abstract name");
    address.host_ = rest;
    return address;
  }
  if (!text.starts_with("tcp://")) refuse(text, "it begins with neither unix: nor tcp://");
  std::string_view rest = text.substr(6);
  address.kind_ = Kind::tcp;
  std::size_t colon = rest.rfind(':');
  if (colon == rest.npos || (rest.starts_with('[') && rest.rfind(']') > colon))
    refuse(text, "the port is missing");
  std::string_view host = rest.substr(0, colon);
  std::string_view port = rest.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  else if (host.find(':') != host.npos) refuse(text, "an IPv6 address stands in brackets");
  if (host.empty()) refuse(text, "the host is missing");
  if (host.find_first_of(std::string_view("[]\0", 3)) != host.npos)
    refuse(text, "the host has a stray bracket or zero byte");
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port_);
  if (port.empty() || error != std::errc() || end != port.data() + port.size())
    refuse(text, "the port is not a number from 0 to 65535");
  address.host_ = host;
  return address;
}

std::string Address::to_string() const {
  switch (kind_) {
    case Kind::unix_path: return "unix:" + host_;
    case Kind::unix_abstract: return "unix:@" + host_;
    case Kind::tcp: break;
  }
  bool bracketed = host_.find(':') != host_.npos;
  return "tcp://" + (bracketed ? "[" + host_ + "]" : host_) + ":" + std::to_string(port_);
}

}  // namespace tandem
