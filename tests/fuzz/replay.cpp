// Runs a fuzz target where there is no libFuzzer: on each file of a folder, and on inputs made from those by changes
// that follow from a fixed number, so that each run does the same.
//
//   fuzz_<name> -runs=N DIR
//
// Inputs under way are in a file named crash-<name> when the target ends the run.

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;

std::string finding;
const Bytes* running = nullptr;

/// The input that ended the run, kept for a debugger. Async-signal-safe.
void keep_input(int signal) {
  int file = open(finding.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0 && running != nullptr) {
    [[maybe_unused]] ssize_t written = write(file, running->data(), running->size());
    close(file);
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const Bytes& input) {
  running = &input;
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

std::vector<Bytes> seeds_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::exists(folder))
    for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<Bytes> seeds{{}};
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return seeds;
}

/// One of the changes that find most: a bit, a byte, a piece put in, left out, doubled or taken from another seed.
void change(Bytes& bytes, const std::vector<Bytes>& seeds, std::mt19937_64& random) {
  constexpr std::size_t bytes_max = 4096;
  auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  const std::size_t at = below(bytes.size() + 1);
  const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
  const std::size_t count = std::min(bytes.size() - at, 1 + below(16));
  const auto to = from + static_cast<std::ptrdiff_t>(count);
  switch (below(6)) {
    case 0:
      if (count > 0) *from ^= static_cast<std::uint8_t>(1U << below(8));
      break;
    case 1:
      if (count > 0) {
        constexpr std::uint8_t ends[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
        *from = below(2) == 0 ? ends[below(std::size(ends))] : static_cast<std::uint8_t>(random());
      }
      break;
    case 2: bytes.insert(from, 1 + below(8), static_cast<std::uint8_t>(random())); break;
    case 3: bytes.erase(from, to); break;
    case 4: {
      const Bytes piece(from, to);
      bytes.insert(from, piece.begin(), piece.end());
      break;
    }
    default: {
      const Bytes& other = seeds[below(seeds.size())];
      const std::size_t begin = below(other.size() + 1);
      bytes.insert(from, other.begin() + static_cast<std::ptrdiff_t>(begin), other.end());
      break;
    }
  }
  if (bytes.size() > bytes_max) bytes.resize(bytes_max);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::string_view runs_option = "-runs=";
  if (argc != 3 || !std::string_view(argv[1]).starts_with(runs_option)) {
    std::cerr << "usage: " << argv[0] << " -runs=N DIR\n";
    return 2;
  }
  const std::size_t runs = std::stoul(argv[1] + runs_option.size());
  finding = "crash-" + std::filesystem::path(argv[0]).filename().string();
  for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, keep_input);

  const std::vector<Bytes> seeds = seeds_in(argv[2]);
  for (const Bytes& seed : seeds) run(seed);
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i < runs; ++i) {
    Bytes bytes = seeds[random() % seeds.size()];
    for (std::size_t changes = 1 + random() % 4; changes > 0; --changes) change(bytes, seeds, random);
    run(bytes);
  }
  std::cout << seeds.size() << " seeds and " << runs << " inputs made from them\n";
}
