// A manager inside a program that has operators new and delete of its own: what one of them gave must come back to the
// other, and nothing else.
//
// Asio comes first, where it cannot know from a standard header whether there is aligned_alloc().
#ifndef ASIO_HAS_STD_ALIGNED_ALLOC
#error "how Asio allocates depends on the order of includes"
#endif
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

#include "tandem/async.hpp"
#include "tandem/server.hpp"
#include "tandem/tandem.hpp"
#include "tests/support/program.hpp"

namespace {

// In front of each allocation, as far as its alignment.
struct Mark {
  std::uint64_t number;
  void* begin;
};
constexpr std::uint64_t ours = 0x74616e64656d2121;

void* allocate(std::size_t size, std::size_t alignment) {
  if (alignment < sizeof(Mark)) alignment = sizeof(Mark);
  void* begin = nullptr;
  if (posix_memalign(&begin, alignment, alignment + size) != 0) throw std::bad_alloc();
  auto* memory = static_cast<std::byte*>(begin) + alignment;
  new (memory - sizeof(Mark)) Mark{ours, begin};
  return memory;
}

void release(void* memory) {
  if (memory == nullptr) return;
  auto* mark = reinterpret_cast<Mark*>(static_cast<std::byte*>(memory) - sizeof(Mark));
  if (mark->number != ours) {
    std::fputs("operator delete: this is not from operator new\n", stderr);
    std::abort();
  }
  mark->number = 0;
  std::free(mark->begin);
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  release(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  release(memory);
}

namespace tandem {
namespace {

TEST(ReplacedOperators, SuitAManagerInsideAndAsioOutside) {
  test::TemporaryFolder folder;
  const std::string address = "unix:" + folder.path("socket");
  Server server({.listen = {address, "tcp://127.0.0.1:0"}, .authkey = "a key", .debug = "127.0.0.1:0"});
  server.start();
  std::vector<std::thread> clients;
  for (const bool ring : {false, true}) {
    clients.emplace_back([&, ring] {
      Manager manager(ring ? address : server.addresses().back(), {.authkey = "a key"});
      auto dict = manager.dict<int, std::string>("dict");
      for (int i = 0; i < 200; ++i) dict[i] = std::string(static_cast<std::size_t>(i) * 10, 'x');
      EXPECT_EQ(dict.size(), 200u);
    });
  }
  for (std::thread& client : clients) client.join();

  asio::io_context io;
  int runs = 0;
  for (int i = 0; i < 200; ++i) asio::post(io, [&runs] { ++runs; });
  io.run();
  EXPECT_EQ(runs, 200);
  server.stop();
}

}  // namespace
}  // namespace tandem
