// Workers that are new processes of the same program, not forked copies: safe in multithreaded programs.
#include <iostream>
#include <tandem/tandem.hpp>
#include <thread>
#include <vector>

void count_words(int part, const std::string& text, tandem::Dict<std::string, int> counts) {
  std::string word;
  for (char c : text + " ") {
    if (c != ' ') word += c;
    else if (!word.empty()) counts[std::exchange(word, "")] += 1;
  }
  std::cout << "part " + std::to_string(part) + " is counted\n" << std::flush;
}

int main() {
  tandem::run_spawned();  // in a worker this calls its function, and does not return

  tandem::Manager manager;
  auto counts = manager.dict<std::string, int>();
  std::vector<std::string> parts{"a rose is a rose", "is a rose", "is a rose"};

  std::vector<std::jthread> threads;
  for (int n = 0; n < 3; ++n)
    threads.emplace_back(
        [&, n] { tandem::Process::spawn({.name = "counter"}, count_words, n, parts[n], counts).join(); });
  for (auto& thread : threads) thread.join();

  std::cout << counts << '\n';
}
