// A two-way pipe: the child speaks, the parent answers.
#include <iostream>
#include <string>
#include <tandem/pipe.hpp>
#include <tandem/process.hpp>

void child(tandem::Connection parent) {
  parent.send("爸爸你好!");
  std::cout << "the child hears: " << parent.recv<std::string>() << std::endl;
}

int main() {
  auto [here, there] = tandem::Pipe();
  tandem::Process process(child, std::move(there));  // the child owns that end from now on
  std::cout << "the parent hears: " << here.recv<std::string>() << std::endl;
  here.send("你好，孩子!");
  process.join();
  try {
    here.recv<std::string>();
  } catch (const tandem::EndOfFile&) {
    std::cout << "the child has hung up" << std::endl;
  }
}
