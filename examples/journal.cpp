// What a manager hosts outlives it: each run of a manager with the same journal goes on where the last one ended.
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <tandem/tandem.hpp>

int main() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("tandem-visits-" + std::to_string(::getpid()));
  for (int run = 1; run <= 3; ++run) {
    tandem::Manager manager({.journal = folder});  // tandemd --journal FOLDER, for one of its own
    auto visits = manager.value<int>("visits", 0);
    visits += 1;
    std::cout << "run " << run << ": " << visits << " visits\n";
  }
  std::filesystem::remove_all(folder);
}
