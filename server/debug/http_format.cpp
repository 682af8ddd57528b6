#include <httplib.h>

#include <algorithm>
#include <cstring>

#include "server/debug/http.hpp"

namespace tandem::server {
namespace {

/// A complete request, and its response as it is written.
class MemoryStream final : public httplib::Stream {
 public:
  explicit MemoryStream(std::string_view in) : in_(in) {}
  std::string take() { return std::move(out_); }

  bool is_readable() const override { return !in_.empty(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* at, size_t size) override {
    size_t count = std::min(size, in_.size());
    std::memcpy(at, in_.data(), count);
    in_.remove_prefix(count);
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* at, size_t size) override {
    out_.append(at, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  int socket() const override { return 0; }

 private:
  std::string_view in_;
  std::string out_;
};

const httplib::Headers& headers_of_all() {
  static const httplib::Headers headers{
      {"Cache-Control", "no-store"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Referrer-Policy", "no-referrer"},
  };
  return headers;
}

std::string message_of(int status) {
  switch (status) {
    case 400: return "this is no HTTP request";
    case 414: return "the request's target is too long";
    case 416: return "ranges of bytes cannot be asked for";
    default: return "the request cannot be answered";
  }
}

Request request_of(const httplib::Request& http) {
  Request request{http.method, http.target, {}, {}};
  auto [host, hosts_end] = http.headers.equal_range("Host");
  for (; host != hosts_end; ++host) request.hosts.push_back(host->second);
  request.authorization = http.get_header_value("Authorization");
  return request;
}

void put(const Answer& answer, httplib::Response& response) {
  response.status = answer.status;
  response.set_content(answer.body, answer.content_type);
  for (const auto& [name, value] : answer.headers) response.set_header(name, value);
}

}  // namespace

class HttpFormat::Parser final : public httplib::Server {
 public:
  explicit Parser(Handle handle) {
    set_default_headers(headers_of_all());
    set_pre_routing_handler(
        [handle = std::move(handle)](const httplib::Request& http, httplib::Response& response) {
          put(handle(request_of(http)), response);
          return HandlerResponse::Handled;
        });
    // Errors that the library generates itself have no body.
    set_error_handler([](const httplib::Request&, httplib::Response& response) {
      if (response.body.empty()) put(error_answer(response.status, message_of(response.status)), response);
    });
  }
  std::string respond(std::string_view head) {
    MemoryStream stream(head);
    bool closed = false;
    process_request(stream, true, closed, [](httplib::Request& http) {
      http.ranges.clear();  // answers are made anew each time: a range of one is meaningless
      http.headers.erase("Accept-Encoding");
      http.headers.erase("Expect");
    });
    return stream.take();
  }
};

HttpFormat::HttpFormat(Handle handle) : parser_(std::make_unique<Parser>(std::move(handle))) {}
HttpFormat::~HttpFormat() = default;

std::string HttpFormat::respond(std::string_view head) const {
  return parser_->respond(head);
}

std::string HttpFormat::respond_error(int status, std::string_view message) {
  Answer answer = error_answer(status, message);
  std::string text = "HTTP/1.1 " + std::to_string(status) + " " +
                     (status == 408   ? "Request Timeout"
                      : status == 431 ? "Request Header Fields Too Large"
                                      : "Service Unavailable") +
                     "\r\nConnection: close\r\nContent-Type: " + answer.content_type +
                     "\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n";
  for (const auto& [name, value] : headers_of_all())
    text.append(name).append(": ").append(value).append("\r\n");
  return text + "\r\n" + answer.body;
}

}  // namespace tandem::server
