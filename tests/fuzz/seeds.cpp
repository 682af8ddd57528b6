// Writes what the fuzz targets start from: seeds DIR makes DIR/<target>/<number>. They are made with the
// project's own writers, so they stay well-formed when a layout changes.

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "tandem/ops/all.hpp"
#include "tandem/wire/handshake.hpp"
#include "tandem/wire/msgpack.hpp"

namespace {

using namespace tandem::wire;
using Seeds = std::map<std::string, std::vector<std::string>>;

template <class Fill>
std::string packed(Fill fill) {
  Buffer buffer;
  Writer writer(buffer);
  fill(writer);
  return std::string(as_text(buffer.view()));
}

template <std::size_t N>
std::string text_of(const std::array<std::uint8_t, N>& bytes) {
  return std::string(as_text(bytes));
}

std::vector<std::string> values() {
  return {
      packed([](Writer& w) { w.nil(); }),
      packed([](Writer& w) { w.boolean(true); }),
      packed([](Writer& w) { w.integer(std::int64_t{-1} << 62); }),
      packed([](Writer& w) { w.unsigned_integer(~std::uint64_t{0}); }),
      packed([](Writer& w) { w.floating(0.25); }),
      packed([](Writer& w) { w.floating32(1.5F); }),
      packed([](Writer& w) { w.text("爸爸你好"); }),
      packed([](Writer& w) { w.text(std::string(300, 'x')); }),
      packed([](Writer& w) { w.bytes(as_bytes("\x01\x02")); }),
      packed([](Writer& w) {
        w.reference({3, 42});
      }),
      packed([](Writer& w) { w.extension(Extension::tuple, as_bytes("\x01\xa1z")); }),
      packed([](Writer& w) { w.extension(Extension::set, as_bytes("\x01\x02\x03")); }),
      packed([](Writer& w) {
        w.extension(Extension::integer, as_bytes("\x01\x01\x01\x01\x01\x01\x01\x01\x01"));
      }),
      packed([](Writer& w) { w.extension(Extension::foreign, as_bytes("p????")); }),
      packed([](Writer& w) {
        w.map(2);
        w.text("key");
        w.array(3);
        w.integer(std::int64_t{1});
        w.floating(1.0);
        w.nil();
        w.integer(std::int64_t{7});
        w.map(0);
      }),
      std::string(100, '\x91') + "\xc0",
  };
}

/// Every form of display JSON, well-shaped and not.
std::vector<std::string> values_and_json() {
  std::vector<std::string> all = values();
  for (const char* text : {
           R"({"a": [1, -2, 0.25, null, true, "x"]})",
           R"({"$float": "nan"})",
           R"({"$map": [[1, "one"], [0.25, null]]})",
           R"({"$bytes": "AAEC"})",
           R"({"$tuple": [1, {"$set": [2, 3]}]})",
           R"({"$int": "18446744073709551616"})",
           R"({"$int": "-0x1f00000000000000000000"})",
           R"({"$ref": 7, "$type": "list"})",
           R"({"$foreign": "p", "$bytes": "AAEC"})",
           R"({"$timestamp": "2024-02-29T12:00:00.5Z"})",
           R"({"$timestamp": [-1, 999999999]})",
           R"({"$extension": 17, "$bytes": "AA=="})",
           R"({"$map": {"$float": 1}})",
       })
    all.emplace_back(text);
  return all;
}

/// Two values each: the same with another type of number, near misses, and nesting.
std::vector<std::string> pairs_of_values() {
  std::vector<std::string> pairs;
  for (const std::string& value : values()) pairs.push_back(value + value);
  auto nested = [](Extension type, std::string inner, int depth) {
    for (; depth != 0; --depth) inner = packed([&](Writer& w) { w.extension(type, as_bytes(inner)); });
    return inner;
  };
  const std::string whole = packed([](Writer& w) { w.integer(std::int64_t{1}); });
  const std::string floating = packed([](Writer& w) { w.floating(1.0); });
  pairs.push_back(whole + floating);
  pairs.push_back(nested(Extension::tuple, whole, 40) + nested(Extension::tuple, floating, 40));
  pairs.push_back(nested(Extension::set, whole, 3) + nested(Extension::set, floating, 3));
  pairs.push_back(std::string(40, '\x91') + whole + std::string(40, '\x91') + floating);
  return pairs;
}

std::string short_frame(FrameKind kind, std::uint8_t byte, std::uint32_t request, std::string_view payload) {
  std::string out(short_header_bytes, '\0');
  out.append(payload);
  store_short_header(reinterpret_cast<std::uint8_t*>(out.data()), out.size(), kind, byte, 0, request);
  return out;
}

std::string request_frame(const RequestHeader& header, std::string_view payload) {
  std::string out(request_header_bytes, '\0');
  out.append(payload);
  store_request_header(reinterpret_cast<std::uint8_t*>(out.data()), out.size(), header);
  return out;
}

std::vector<std::string> frames() {
  const std::string limit("\x0f\xff", 2);  // the target's frame_bytes_max
  std::string call = request_frame({.op = 6, .request = 1, .actor = 9, .object = 1}, "\x90");
  std::string open = request_frame({.flags = flag_more, .op = 1, .request = 2, .object = 1}, "\x93");
  std::string part = short_frame(FrameKind::request_part, 0, 2, "\xa4list");
  return {
      limit + call,
      limit + call + open + part,
      limit + short_frame(FrameKind::reply, 0, 1, "\xc0"),
      limit + short_frame(FrameKind::reply_part, 0, 1, "tail"),
      limit + short_frame(FrameKind::fault, 9, 0, "no"),
      limit + short_frame(FrameKind::identify, 0, 77, ""),
      limit + call + short_frame(FrameKind::read, 0, 1, ""),
      limit + call + short_frame(FrameKind::goodbye, 0, 0, ""),
  };
}

std::vector<std::string> handshakes() {
  Hello hello;
  hello.nonce.fill(1);
  Answer answer;
  answer.pid = 77;
  answer.wishes = wish_lane;
  answer.lane = 1;
  answer.proof.fill(2);
  Welcome welcome;
  welcome.session = 5;
  welcome.frame_bytes_max = 1 << 20;
  welcome.lane = 1;
  welcome.resume_ms = 2000;
  welcome.start = 3;
  return {text_of(encode(hello)), text_of(encode(answer)), text_of(encode(welcome)),
          encode_refusal(tandem::Code::authentication_error, "the keys differ")};
}

/// A request as the session target's second form has it.
std::string scripted(std::uint16_t op, std::uint64_t object, const std::string& arguments) {
  std::string out{static_cast<char>(op), static_cast<char>(object), '\0',
                  static_cast<char>(arguments.size())};
  return out + arguments;
}

template <class Op>
std::string scripted(std::uint64_t object, const std::string& arguments) {
  return scripted(Op::description.number, object, arguments);
}

std::string creation(std::string_view type, std::string_view name) {
  return scripted<tandem::ops::Manager::Create>(tandem::ops::Manager::id, packed([&](Writer& w) {
                                                  w.array(3);
                                                  w.text(type);
                                                  w.array(name.empty() ? 0 : 1);
                                                  if (!name.empty()) w.text(name);
                                                  w.array(0);
                                                }));
}

/// Whole conversations: one object of each type, each operation on it with no, small and fitting arguments.
std::vector<std::string> conversations() {
  const std::string frames_after_handshake("\x01\x01\xff", 3);
  const std::string requests_after_handshake("\x03\x01\xff", 3);
  const std::string frames_of_a_lane("\x05\x01\xff", 3);
  const std::string requests_of_a_lane("\x07\x01\xff", 3);
  const std::string handshake_first("\x00\x00\x07", 3);
  Answer answer;
  answer.proof.fill(0x5a);

  std::vector<std::string> found{handshake_first + text_of(encode(answer))};
  for (const std::string& frame : frames()) {
    found.push_back(frames_after_handshake + frame.substr(2));
    found.push_back(frames_of_a_lane + frame.substr(2));
  }
  const std::string key_and_value =
      packed([](Writer& w) { w.array(2), w.integer(std::int64_t{1}), w.text("x"); });
  const std::string one_number = packed([](Writer& w) { w.array(1), w.integer(std::int64_t{0}); });
  const std::string one_list =
      packed([](Writer& w) { w.array(1), w.array(2), w.integer(std::int64_t{2}), w.nil(); });
  const std::string itself = packed([](Writer& w) {
    w.array(2), w.integer(std::int64_t{1}), w.reference({2, 2});
  });
  for (std::string_view type : {"dict", "list", "set", "namespace", "value", "array"}) {
    std::string all = creation(type, "") + creation(type, "named");
    for (const std::string& arguments : {key_and_value, one_number, one_list, itself, std::string("\x90")})
      for (std::uint16_t op = 1; op < 24; ++op) all += scripted(op, 2, arguments);
    found.push_back(requests_after_handshake + all);
    found.push_back(requests_of_a_lane + all);
  }
  std::string manager = requests_after_handshake;
  for (std::uint16_t op = 0; op < 10; ++op) manager += scripted(op, tandem::ops::Manager::id, "\x90");
  found.push_back(manager);
  return found;
}

std::vector<std::string> addresses() {
  return {"unix:/tmp/socket",     "unix:///tmp/socket", "unix:@name",
          "tcp://127.0.0.1:7070", "tcp://[::1]:0",      "tcp://host.example:65535"};
}

void write_seeds(const std::filesystem::path& directory, const Seeds& seeds) {
  for (const auto& [target, inputs] : seeds) {
    std::filesystem::create_directories(directory / target);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      std::ofstream(directory / target / std::to_string(i), std::ios::binary) << inputs[i];
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: seeds DIR\n";
    return 2;
  }
  write_seeds(argv[1], {
                           {"address", addresses()},
                           {"codec", values()},
                           {"frame", frames()},
                           {"handshake", handshakes()},
                           {"json", values_and_json()},
                           {"msgpack", values()},
                           {"session", conversations()},
                           {"values", pairs_of_values()},
                       });
}
