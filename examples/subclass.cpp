// Processes as a subclass with a run method.
#include <iostream>
#include <tandem/process.hpp>
#include <vector>

class Greeter : public tandem::Process {
 public:
  using tandem::Process::Process;  // takes a name, or gets a numbered one

  void run() override {
    std::cout << "I am " + name() + ", process " + std::to_string(pid()) + ", my parent is process " +
                     std::to_string(tandem::parent_process()->pid()) + "\n"
              << std::flush;
  }
};

int main() {
  std::cout << "main is process " << tandem::current_process().pid() << std::endl;
  std::vector<Greeter> greeters(2);
  greeters.push_back(Greeter({.name = "Ada"}));
  for (auto& greeter : greeters) greeter.start();
  for (auto& greeter : greeters) greeter.join();
  std::cout << "main is done" << std::endl;
}
