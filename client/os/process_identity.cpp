#include "client/os/process_identity.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <string_view>

#include "client/os/descriptor.hpp"

namespace tandem::os {
namespace {

/// The beginning of a short file; empty if it cannot be read.
std::string read_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  char text[4096];
  const ssize_t size = ::read(file.get(), text, sizeof text);
  return size <= 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

/// "pid:[4026531836]": the namespace in which this process sees process ids.
std::string pid_namespace() {
  char text[64];
  const ssize_t size = ::readlink("/proc/self/ns/pid", text, sizeof text);
  return size <= 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

/// In ticks since the start of the machine; empty if there is no such process, or it has ended already (proc(5): stat).
std::string start_time(std::string_view pid) {
  const std::string stat = read_file("/proc/" + std::string(pid) + "/stat");
  const std::size_t name_end = stat.rfind(')');  // the name may contain anything
  if (name_end == std::string::npos) return {};
  constexpr int fields_before = 19;  // of the start time: state, parent, …
  std::string_view rest = std::string_view(stat).substr(name_end + 1);
  for (int field = 0; field <= fields_before; ++field) {
    if (rest.empty() || rest.front() != ' ') return {};
    rest.remove_prefix(1);
    const std::string_view value = rest.substr(0, rest.find(' '));
    if (field == 0 && (value == "Z" || value == "X")) return {};
    if (field == fields_before) return std::string(value);
    rest.remove_prefix(value.size());
  }
  return {};
}

}  // namespace

std::string boot_id() {
  std::string text = read_file("/proc/sys/kernel/random/boot_id");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string process_identity(pid_t pid) {
  const std::string number = std::to_string(pid);
  const std::string boot = boot_id();
  const std::string space = pid_namespace();
  const std::string start = pid > 0 ? start_time(number) : std::string();
  if (boot.empty() || space.empty() || start.empty()) return {};
  return boot + " " + space + " " + number + " " + start;
}

bool has_ended(const std::string& identity) {
  std::string_view rest = identity;
  auto next = [&rest] {
    const std::size_t end = rest.find(' ');
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return part;
  };
  const std::string_view boot = next();
  const std::string_view space = next();
  const std::string_view pid = next();
  const std::string_view start = next();
  const std::string boot_now = boot_id();
  if (start.empty() || boot_now.empty()) return false;
  if (boot != boot_now) return true;
  return space == pid_namespace() && start != start_time(pid);
}

}  // namespace tandem::os
