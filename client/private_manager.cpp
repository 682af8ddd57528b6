#include "client/private_manager.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "client/common/crypto.hpp"
#include "client/os/deadline.hpp"
#include "client/os/signals.hpp"
#include "client/os/spawn_plan.hpp"
#include "client/os/standard_descriptors.hpp"
#include "tandem/error.hpp"
#include "tandem/manager.hpp"

namespace tandem::client {
namespace {

namespace fs = std::filesystem;

constexpr int private_descriptor = 3;  // in tandemd
constexpr std::size_t authkey_bytes = 32;
constexpr std::size_t line_bytes_max = 4096;
constexpr std::chrono::milliseconds stop_wait{5000};

// ---- finding tandemd ------------------------------------------------------------------------------------

bool is_program(const fs::path& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && access(path.c_str(), X_OK) == 0;
}

/// The file that this code was loaded from: the library, or the program it is linked into.
fs::path own_file() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&tandemd_search_path), &info) == 0 || info.dli_fname == nullptr)
    return {};
  std::error_code ignored;
  return fs::weakly_canonical(info.dli_fname, ignored);
}

/// The folder of programs of this program's package, which lives until the process ends; null: none known.
constinit std::atomic<const fs::path*> package{nullptr};

std::vector<fs::path> folders_to_look_in() {
  std::vector<fs::path> folders;
  std::error_code ignored;
  if (fs::path program = fs::read_symlink("/proc/self/exe", ignored); !program.empty())
    folders.push_back(program.parent_path());
  if (fs::path library = own_file(); library.has_parent_path()) {
    folders.push_back(library.parent_path());
    folders.push_back((library.parent_path() / TANDEM_LIBDIR_TO_BINDIR).lexically_normal());
  }
  if (const fs::path* found = package.load()) folders.push_back(*found);
  folders.emplace_back(TANDEM_INSTALL_BINDIR);
#ifdef TANDEM_BUILD_BINDIR
  folders.emplace_back(TANDEM_BUILD_BINDIR);
#endif
  const char* path = std::getenv("PATH");
  for (std::string_view rest = path == nullptr ? "" : path; !rest.empty();) {
    std::size_t end = std::min(rest.find(':'), rest.size());
    if (end != 0) folders.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return folders;
}

// ---- starting a process ---------------------------------------------------------------------------------

/// The child inherits only stderr: no descriptor that would keep a user's pipe open, no terminal, no signal
/// mask of the thread that starts it.
void plan(os::SpawnPlan& spawn, int descriptor) {
  posix_spawn_file_actions_addopen(&spawn.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&spawn.actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&spawn.actions, descriptor, private_descriptor);
  posix_spawn_file_actions_addclosefrom_np(&spawn.actions, private_descriptor + 1);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&spawn.attributes, &none);
  posix_spawnattr_setsigdefault(&spawn.attributes, &all);
  posix_spawnattr_setflags(&spawn.attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
}

/// The command line of a private manager.
std::vector<std::string> arguments_of(const Options& options) {
  std::vector<std::string> arguments{"tandemd", "--private-fd", std::to_string(private_descriptor)};
  if (!options.journal.empty())
    for (const std::string_view one : {std::string_view("--journal"), std::string_view(options.journal),
                                       std::string_view("--journal-level"), name_of(options.journal_level)})
      arguments.emplace_back(one);
  return arguments;
}

std::string describe_status(int status) {
  if (WIFEXITED(status)) return "exited with status " + std::to_string(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) return std::string("was ended by signal ") + std::to_string(WTERMSIG(status));
  return "ended";
}

}  // namespace

bool search_tandemd_in(const char* folder) {
  if (folder == nullptr) return false;
  auto added = std::make_unique<const fs::path>(folder);
  const fs::path* none = nullptr;
  if (package.compare_exchange_strong(none, added.get())) (void)added.release();  // never freed
  return true;
}

bool search_tandemd_from(const char* header) {
  // A relative path depends on the folder in which the compiler ran.
  fs::path path(header);
  if (!path.is_absolute()) return false;
  return search_tandemd_in((path.parent_path().parent_path() / TANDEM_INCLUDEDIR_TO_BINDIR).c_str());
}

std::vector<std::string> tandemd_search_path() {
  if (const char* named = std::getenv("TANDEM_TANDEMD"); named != nullptr && *named != '\0') return {named};
  std::vector<std::string> places;
  for (const fs::path& folder : folders_to_look_in()) {
    std::string place = folder / "tandemd";
    if (std::find(places.begin(), places.end(), place) == places.end()) places.push_back(std::move(place));
  }
  return places;
}

std::string find_tandemd(const std::vector<std::string>& places) {
  std::string looked_at;
  for (const std::string& place : places) {
    if (is_program(place)) return place;
    looked_at += "\n  " + place;
  }
  throw ConnectionError("cannot start a manager: there is no tandemd (TANDEM_TANDEMD can name one) at" +
                        looked_at);
}

// ---- a private manager ----------------------------------------------------------------------------------

PrivateManager::PrivateManager(const std::string& tandemd, const Options& options)
    : authkey_(authkey_bytes, '\0') {
  random_bytes({reinterpret_cast<std::uint8_t*>(authkey_.data()), authkey_.size()});
  os::listen_to_forks(*this);
  try {
    spawn(tandemd, options);
    wait_until_ready(tandemd, options.start_timeout);
  } catch (...) {
    kill();
    close_descriptors();
    os::ignore_forks(*this);
    throw;
  }
}

PrivateManager::~PrivateManager() {
  stop();
  os::ignore_forks(*this);
}

void PrivateManager::spawn(const std::string& tandemd, const Options& options) {
  std::lock_guard lock(mutex_);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 || !os::above_standard(ends))
    throw ConnectionError("cannot start a manager: no socket pair (" + os::errno_text(errno) + ")");
  lifeline_ = ends[0];
  os::SpawnPlan spawn;
  plan(spawn, ends[1]);
  std::vector<std::string> texts = arguments_of(options);
  std::vector<char*> arguments;
  arguments.reserve(texts.size() + 1);
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  pid_t pid = -1;
  int error =
      posix_spawn(&pid, tandemd.c_str(), &spawn.actions, &spawn.attributes, arguments.data(), environ);
  close(ends[1]);
  if (error != 0)
    throw ConnectionError("cannot start a manager: " + tandemd + " cannot be run (" + os::errno_text(error) +
                          ")");
  pid_ = pid;
  pidfd_ = os::above_standard(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd_ < 0) throw ConnectionError("cannot start a manager: no pidfd (" + os::errno_text(errno) + ")");
}

void PrivateManager::wait_until_ready(const std::string& tandemd, std::chrono::milliseconds start_timeout) {
  // It may have exited already; then read_line() throws.
  [[maybe_unused]] ssize_t sent = send(lifeline_, authkey_.data(), authkey_.size(), MSG_NOSIGNAL);
  std::string line = read_line(tandemd, start_timeout);
  if (line.starts_with("ready ")) {
    address_ = Address::parse(line.substr(6));
    return;
  }
  if (line.starts_with("error "))
    throw ConnectionError("cannot start a manager: " + tandemd + ": " + line.substr(6));
  throw ConnectionError("cannot start a manager: " + tandemd + " said \"" + line + "\"; is it a tandemd?");
}

std::string PrivateManager::read_line(const std::string& tandemd, std::chrono::milliseconds start_timeout) {
  os::Deadline deadline(start_timeout);
  std::string line;
  char byte = 0;
  while (line.size() < line_bytes_max) {
    // Another child may hold a stray copy of tandemd's end, so its exit counts, not the end of the stream.
    pollfd wanted[2] = {{lifeline_, POLLIN, 0}, {pidfd_, POLLIN, 0}};
    try {
      poll(wanted, 2, start_timeout.count() == 0 ? -1 : static_cast<int>(deadline.remaining().count()));
    } catch (const os::TimedOut&) {
      throw ConnectionError("cannot start a manager: " + tandemd + " was not ready within " +
                            std::to_string(start_timeout.count()) + " ms (start_timeout)");
    }
    if (wanted[0].revents != 0) {
      ssize_t received = recv(lifeline_, &byte, 1, MSG_DONTWAIT);
      if (received == 1 && byte == '\n') return line;
      if (received == 1) line += byte;
      if (received == 0) break;
    } else if (wanted[1].revents != 0) {
      break;
    }
  }
  if (line.size() == line_bytes_max) return line;
  std::string how = exits_within(stop_wait) ? reap() : "closed its side";
  throw ConnectionError("cannot start a manager: " + tandemd + " " + how + " before it was ready");
}

bool PrivateManager::exits_within(std::chrono::milliseconds limit) noexcept {
  pollfd wanted{pidfd_, POLLIN, 0};
  auto end = std::chrono::steady_clock::now() + limit;
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    int ready = poll(&wanted, 1, static_cast<int>(std::max<decltype(left)>(left, 0)));
    if (ready > 0) return true;
    if (ready == 0 && left <= 0) return false;
  }
}

/// Waits for the manager, and no other child, and returns its exit status as text.
std::string PrivateManager::reap() {
  int status = 0;
  pid_t reaped = 0;
  do reaped = waitpid(pid_, &status, 0);
  while (reaped < 0 && errno == EINTR);
  pid_ = -1;
  return reaped < 0 ? "ended" : describe_status(status);
}

void PrivateManager::kill() noexcept {
  if (pid_ < 0) return;
  if (pidfd_ >= 0) syscall(SYS_pidfd_send_signal, pidfd_, SIGKILL, nullptr, 0);
  else ::kill(pid_, SIGKILL);
  reap();
}

void PrivateManager::stop() noexcept {
  if (pid_ < 0) return;
  std::lock_guard lock(stopping_);
  if (pid_ < 0) return;
  [[maybe_unused]] ssize_t sent = send(lifeline_, "stop\n", 5, MSG_NOSIGNAL | MSG_DONTWAIT);
  shutdown(lifeline_, SHUT_WR);
  if (exits_within(stop_wait)) reap();
  else kill();
  close_descriptors();
}

void PrivateManager::close_descriptors() noexcept {
  std::lock_guard lock(mutex_);
  close_descriptors_locked();
}

void PrivateManager::close_descriptors_locked() noexcept {
  for (int* descriptor : {&lifeline_, &pidfd_}) {
    if (*descriptor >= 0) close(*descriptor);
    *descriptor = -1;
  }
}

// The manager is the parent's. If the lifeline remained open here, the manager would outlive the parent.
void PrivateManager::after_fork_in_child() noexcept {
  pid_ = -1;
  close_descriptors_locked();
  mutex_.unlock();
}

}  // namespace tandem::client
