#include "client/process/spawn.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "client/common/utf8.hpp"
#include "client/os/signals.hpp"
#include "client/os/spawn_plan.hpp"
#include "client/os/standard_descriptors.hpp"
#include "client/process/child.hpp"
#include "client/process/exception_text.hpp"
#include "client/session/handover.hpp"
#include "tandem/error.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem {
namespace client {
namespace {

constexpr const char* variable = "TANDEM_SPAWNED";
constexpr std::string_view version = "tandem spawn 1";
constexpr int first_descriptor = 3;
constexpr std::uint32_t fields = 8;
enum Place : std::size_t { message_place, parent_place, lifeline_place };

/// Whether main() called run_spawned(). If it did not, a spawned process would run the whole program and
/// spawn further ones.
std::atomic<bool>& main_is_prepared() {
  static std::atomic<bool> prepared{false};
  return prepared;
}

// ---- in the parent ----------------------------------------------------------------------------------------

void write_all(int descriptor, wire::Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw std::system_error(errno, std::generic_category(), "a process cannot be started");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

wire::Buffer message_of(const ProcessState& child, const Task& task, SpawnSender& spawn_sender) {
  wire::Buffer arguments;  // first: they determine which sessions are needed
  Encoder to{wire::Writer(arguments), nullptr, &spawn_sender};
  task.encode_arguments(to);
  check_texts(arguments.view());
  const ProcessStatePtr self = ProcessTree::of_this_process().self();
  wire::Buffer message;
  wire::Writer writer(message);
  writer.array(fields);
  writer.text(version);
  writer.text(child.name);
  writer.boolean(child.daemon);
  writer.text(self->name);
  writer.integer(std::int64_t{getpid()});
  spawn_sender.write_managers(writer);
  writer.text(task.function()->id());
  writer.raw(arguments.view());
  return message;
}

/// The arguments of this process, so that parent and child look alike in lists of processes.
std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> arguments;
  for (std::size_t at = 0; at < all.size(); at += arguments.back().size() + 1)
    arguments.emplace_back(all.c_str() + at);
  if (arguments.empty()) arguments.emplace_back("tandem");
  return arguments;
}

std::vector<std::string> environment_of_child(std::size_t descriptors_count) {
  std::vector<std::string> settings;
  const std::string prefix = std::string(variable) + "=";
  for (char** each = environ; each != nullptr && *each != nullptr; ++each)
    if (!std::string_view(*each).starts_with(prefix)) settings.emplace_back(*each);
  settings.push_back(prefix + std::to_string(descriptors_count));
  return settings;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

pid_t run_program_anew(SpawnSender& spawn_sender) {
  const std::vector<int> descriptors = spawn_sender.lay_out(first_descriptor);
  const os::SignalsBlocked signals;
  os::SpawnPlan plan;
  int at = first_descriptor;
  for (int descriptor : descriptors) posix_spawn_file_actions_adddup2(&plan.actions, descriptor, at++);
  posix_spawn_file_actions_addclosefrom_np(&plan.actions, at);
  const sigset_t blocked = signals.of_child();
  posix_spawnattr_setsigmask(&plan.attributes, &blocked);
  posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSIGMASK);

  std::vector<std::string> arguments = own_arguments();
  std::vector<std::string> environment = environment_of_child(descriptors.size());
  pid_t pid = -1;
  const int error = posix_spawn(&pid, "/proc/self/exe", &plan.actions, &plan.attributes,
                                pointers_to(arguments).data(), pointers_to(environment).data());
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot run this program anew");
  return pid;
}

}  // namespace

void spawn(const ProcessStatePtr& child, const Task& task) {
  if (!main_is_prepared())
    throw ValueError(
        "Process::spawn() runs this program anew, so its main() has to begin with tandem::run_spawned(), "
        "which runs the function in the new process");
  flush_output();
  ProcessTree::Starting starting(ProcessTree::of_this_process(), child);
  SpawnSender spawn_sender;
  int file = -1;
  spawn_sender.add_descriptor([&] { return file = os::above_standard(memfd_create("tandem", MFD_CLOEXEC)); },
                              "file in memory");
  spawn_sender.add_descriptor(
      [] { return os::above_standard(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0))); }, "pidfd");
  if (child->daemon) spawn_sender.copy_descriptor(child->lifeline_in_child);
  write_all(file, message_of(*child, task, spawn_sender).view());
  starting.started(run_program_anew(spawn_sender));
}

// ---- in the child -----------------------------------------------------------------------------------------

namespace {

[[noreturn]] void throw_unreadable() {
  throw ProtocolError("what a spawned process was given cannot be read");
}

std::string contents_of(int descriptor) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0) throw_unreadable();
  std::string contents(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t done = 0;
  while (done < contents.size()) {
    const ssize_t count =
        pread(descriptor, contents.data() + done, contents.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw_unreadable();
    done += static_cast<std::size_t>(count);
  }
  return contents;
}

/// The parent's message; its parts are read in order.
class Given {
 public:
  explicit Given(std::size_t descriptors_count) : receiver_(first_descriptor, descriptors_count) {
    const int file = receiver_.take_descriptor(message_place);
    contents_ = contents_of(file);
    close(file);
    reader_ = wire::Reader(wire::as_bytes(contents_));
    std::uint32_t count = 0;
    if (!reader_.array(count) || count != fields || text() != version) throw_unreadable();
  }

  void join_tree() {
    const std::string name = text();
    bool daemon = false;
    if (!reader_.boolean(daemon)) throw_unreadable();
    const std::string parent_name = text();
    std::int64_t parent_pid = 0;
    if (!reader_.int64(parent_pid)) throw_unreadable();
    const int parent = receiver_.take_descriptor(parent_place);
    const int lifeline = daemon ? receiver_.take_descriptor(lifeline_place) : -1;
    ProcessTree::of_this_process().adopt_identity(name, parent_name, static_cast<pid_t>(parent_pid), parent,
                                                  lifeline);
  }

  void call_function() {
    receiver_.read_managers(reader_);
    const Function function = Function::find(text());
    Decoder from{reader_, nullptr, &receiver_};
    function.call(from, nullptr);
  }

 private:
  std::string text() {
    std::string_view text;
    if (!reader_.text(text)) throw_unreadable();
    return std::string(text);
  }

  SpawnReceiver receiver_;
  std::string contents_;
  wire::Reader reader_;
};

/// Executing /proc/self/exe has set it to "exe".
void restore_command_name() {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  prctl(PR_SET_NAME, program.filename().c_str());
}

[[noreturn]] void run_as_spawned(const char* descriptors_count) {
  std::size_t count = 0;
  std::from_chars(descriptors_count, descriptors_count + std::strlen(descriptors_count), count);
  unsetenv(variable);
  restore_command_name();
  std::optional<Given> given;
  std::exit(run_body(
      [&] {
        given.emplace(count);
        given->join_tree();
        given->call_function();
      },
      [&] { given.reset(); }));
}

}  // namespace
}  // namespace client

void run_spawned() {
  client::main_is_prepared() = true;
  if (const char* count = std::getenv(client::variable); count != nullptr) client::run_as_spawned(count);
}

}  // namespace tandem
