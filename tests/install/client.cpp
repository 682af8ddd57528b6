// client TANDEMD: counts in a private manager, which must be the installed TANDEMD; ends with 1 if it is not.

#include <filesystem>
#include <iostream>
#include <tandem/tandem.hpp>

#include "child_program.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: client TANDEMD\n", 2;
  tandem::Manager manager;
  auto hits = manager.dict<std::string, int>({{"home", 1}});
  hits["home"] += 1;
  std::cout << hits << " in " << program_of_child() << '\n';
  return hits.at("home") == 2 && program_of_child() == std::filesystem::canonical(argv[1]) ? 0 : 1;
}
