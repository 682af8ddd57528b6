#pragma once
// Which program a private manager is.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

/// The program that this process's one child runs.
inline std::filesystem::path program_of_child() {
  std::string self = std::to_string(getpid());
  std::ifstream children("/proc/" + self + "/task/" + self + "/children");
  std::string child;
  children >> child;
  return std::filesystem::read_symlink("/proc/" + child + "/exe");
}
