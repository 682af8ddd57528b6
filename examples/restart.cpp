// A manager is killed and started again under a program that counts and locks. The program does not notice, other than by
// on_reconnect: no call fails, no count is lost or made twice, and the lock stays its own.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <tandem/tandem.hpp>
#include <thread>

namespace {

/// Starts `tandemd --journal FOLDER`, beside this program.
pid_t start_tandemd(const std::string& address, const std::string& folder) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "tandemd";
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  (void)!std::freopen("/dev/null", "w", stdout);  // it says when it is ready
  ::execl(program.c_str(), "tandemd", "--listen", address.c_str(), "--journal", folder.c_str(), "--log-level",
          "off", nullptr);
  ::_exit(1);
}

void kill_tandemd(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

tandem::Manager attach(const std::string& address) {
  for (;;) {
    try {
      return tandem::Manager(address);
    } catch (const tandem::ConnectionError&) {  // it is not there yet
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

}  // namespace

int main() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("tandem-restart-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string address = "unix:" + (folder / "socket").string();
  pid_t tandemd = start_tandemd(address, folder / "journal");

  const tandem::Manager manager = attach(address);
  std::atomic<bool> reconnected{false};
  manager.on_reconnect([&](const tandem::Reconnection& one) { reconnected = one.restarted; });
  auto counts = manager.dict<std::string, int>("counts");
  auto lock = manager.lock("lock");
  lock.lock();

  std::atomic<bool> stop{false};
  int counted = 0;
  std::thread counter([&] {
    for (; !stop; ++counted) counts["here"] += 1;
  });
  for (int times = 0; times < 5; ++times) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    kill_tandemd(tandemd);
    tandemd = start_tandemd(address, folder / "journal");
  }
  lock.unlock();  // it was never another's
  stop = true;
  counter.join();

  std::cout << "killed 5 times; counted right: " << std::boolalpha << (counts.at("here") == counted)
            << "; noticed: " << reconnected << '\n';
  kill_tandemd(tandemd);
  std::filesystem::remove_all(folder);
}
