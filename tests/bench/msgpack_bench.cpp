// tandem's MessagePack reader and writer beside msgpack-cxx, on the work of the hot path: the arguments of a small
// request written and read, one short text of 64 bytes, and a nested value walked over as at the server's entry.
// msgpack-cxx appears in its quickest forms: a packer into a reused sbuffer; parse() with a visitor, which builds no
// tree; and unpack() into a reused zone with texts left in place, which is its customary form.

#include <benchmark/benchmark.h>

#include <msgpack.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tandem/wire/buffer.hpp"
#include "tandem/wire/msgpack.hpp"

namespace {

using tandem::wire::Buffer;
using tandem::wire::Bytes;
using tandem::wire::Reader;
using tandem::wire::Writer;

const std::string key = "key:000123";
const std::string text64(64, 'v');
constexpr std::int64_t number = 1'000'000;

// One vocabulary over both writers, so that both write the same values.
struct OwnWriter {
  Buffer& out;
  void text(std::string_view v) { Writer(out).text(v); }
  void integer(std::int64_t v) { Writer(out).integer(v); }
  void floating(double v) { Writer(out).floating(v); }
  void nil() { Writer(out).nil(); }
  void array(std::uint32_t n) { Writer(out).array(n); }
  void map(std::uint32_t n) { Writer(out).map(n); }
};
struct MsgpackCxxWriter {
  msgpack::sbuffer& out;
  msgpack::packer<msgpack::sbuffer> packer{out};
  void text(std::string_view v) {
    packer.pack_str(static_cast<std::uint32_t>(v.size()));
    packer.pack_str_body(v.data(), static_cast<std::uint32_t>(v.size()));
  }
  void integer(std::int64_t v) { packer.pack_int64(v); }
  void floating(double v) { packer.pack_double(v); }
  void nil() { packer.pack_nil(); }
  void array(std::uint32_t n) { packer.pack_array(n); }
  void map(std::uint32_t n) { packer.pack_map(n); }
};

struct KeyAndInteger {
  template <class W>
  static void write(W writer) {
    writer.text(key);
    writer.integer(number);
  }
};
struct Text64 {
  template <class W>
  static void write(W writer) {
    writer.text(text64);
  }
};
// 20 records of 5 fields, one of them an array. No float has an integral value: msgpack-cxx 4 writes such a float as an
// integer, which tandem cannot use, since a float must come back as a float.
struct Nested {
  template <class W>
  static void write(W writer) {
    writer.array(20);
    for (std::int64_t i = 0; i < 20; ++i) {
      writer.map(5);
      writer.text("name");
      writer.text("record number of some length");
      writer.text("id");
      writer.integer(i * 1000);
      writer.text("share");
      writer.floating(0.25 + static_cast<double>(i));
      writer.text("parent");
      writer.nil();
      writer.text("points");
      writer.array(10);
      for (std::int64_t n = 0; n < 10; ++n) writer.integer(n * 100);
    }
  }
};

// The bytes to read, after making sure that both writers agree on them.
template <class Content>
std::string written() {
  Buffer own;
  Content::write(OwnWriter{own});
  msgpack::sbuffer other;
  Content::write(MsgpackCxxWriter{other});
  const std::string bytes(tandem::wire::as_text(own.view()));
  if (bytes != std::string_view(other.data(), other.size())) {
    std::fputs("the two writers disagree\n", stderr);
    std::abort();
  }
  return bytes;
}

template <class Content>
void write_own(benchmark::State& state) {
  Buffer out;
  for (auto _ : state) {
    out.clear();
    Content::write(OwnWriter{out});
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
}
template <class Content>
void write_msgpack_cxx(benchmark::State& state) {
  msgpack::sbuffer out;
  for (auto _ : state) {
    out.clear();
    Content::write(MsgpackCxxWriter{out});
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
}

// Reading: a text and, where one follows, an integer, both handed over in place.
struct Arguments {
  std::string_view text;
  std::int64_t integer = 0;
};

bool read_own_arguments(const std::string& bytes, Arguments& arguments) {
  Reader reader(tandem::wire::as_bytes(bytes));
  return reader.text(arguments.text) && (reader.at_end() || reader.int64(arguments.integer)) &&
         reader.at_end();
}

struct ArgumentsVisitor : msgpack::null_visitor {
  explicit ArgumentsVisitor(Arguments& into) : arguments(into) {}
  bool visit_str(const char* v, std::uint32_t size) {
    arguments.text = {v, size};
    return true;
  }
  bool visit_positive_integer(std::uint64_t v) {
    arguments.integer = static_cast<std::int64_t>(v);
    return true;
  }
  bool visit_negative_integer(std::int64_t v) {
    arguments.integer = v;
    return true;
  }
  void parse_error(std::size_t, std::size_t) { failed = true; }
  void insufficient_bytes(std::size_t, std::size_t) { failed = true; }
  Arguments& arguments;
  bool failed = false;
};
bool visit_arguments(const std::string& bytes, Arguments& arguments) {
  ArgumentsVisitor visitor(arguments);
  for (std::size_t offset = 0; offset < bytes.size();)
    if (!msgpack::parse(bytes.data(), bytes.size(), offset, visitor) || visitor.failed) return false;
  return true;
}

bool always_in_place(msgpack::type::object_type, std::size_t, void*) {
  return true;
}
bool unpack_arguments(const std::string& bytes, msgpack::zone& zone, Arguments& arguments) {
  for (std::size_t offset = 0; offset < bytes.size();) {
    const msgpack::object object = msgpack::unpack(zone, bytes.data(), bytes.size(), offset, always_in_place);
    if (object.type == msgpack::type::STR) arguments.text = {object.via.str.ptr, object.via.str.size};
    else arguments.integer = object.as<std::int64_t>();
  }
  zone.clear();
  return true;
}

template <class Content, class Read>
void read_arguments(benchmark::State& state, Read read) {
  std::string bytes = written<Content>();
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes.data());
    benchmark::ClobberMemory();
    Arguments arguments;
    if (!read(bytes, arguments)) std::abort();
    benchmark::DoNotOptimize(arguments);
  }
}
template <class Content>
void read_own(benchmark::State& state) {
  read_arguments<Content>(state, read_own_arguments);
}
template <class Content>
void read_msgpack_cxx_visitor(benchmark::State& state) {
  read_arguments<Content>(state, visit_arguments);
}
template <class Content>
void read_msgpack_cxx_unpack(benchmark::State& state) {
  msgpack::zone zone;
  read_arguments<Content>(state, [&](const std::string& bytes, Arguments& arguments) {
    return unpack_arguments(bytes, zone, arguments);
  });
}

struct Validation : msgpack::null_visitor {
  void parse_error(std::size_t, std::size_t) { failed = true; }
  void insufficient_bytes(std::size_t, std::size_t) { failed = true; }
  bool failed = false;
};

void walk_own(benchmark::State& state) {
  std::string bytes = written<Nested>();
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes.data());
    benchmark::ClobberMemory();
    Reader reader(tandem::wire::as_bytes(bytes));
    if (!reader.skip() || !reader.at_end()) std::abort();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
void walk_msgpack_cxx_visitor(benchmark::State& state) {
  std::string bytes = written<Nested>();
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes.data());
    benchmark::ClobberMemory();
    Validation validation;
    std::size_t offset = 0;
    if (!msgpack::parse(bytes.data(), bytes.size(), offset, validation) || offset != bytes.size())
      std::abort();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}

BENCHMARK(write_own<KeyAndInteger>);
BENCHMARK(write_msgpack_cxx<KeyAndInteger>);
BENCHMARK(write_own<Text64>);
BENCHMARK(write_msgpack_cxx<Text64>);
BENCHMARK(read_own<KeyAndInteger>);
BENCHMARK(read_msgpack_cxx_visitor<KeyAndInteger>);
BENCHMARK(read_msgpack_cxx_unpack<KeyAndInteger>);
BENCHMARK(read_own<Text64>);
BENCHMARK(read_msgpack_cxx_visitor<Text64>);
BENCHMARK(read_msgpack_cxx_unpack<Text64>);
BENCHMARK(write_own<Nested>);
BENCHMARK(write_msgpack_cxx<Nested>);
BENCHMARK(walk_own);
BENCHMARK(walk_msgpack_cxx_visitor);

}  // namespace

BENCHMARK_MAIN();
