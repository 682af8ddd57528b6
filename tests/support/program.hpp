#pragma once
// The programs of this build as processes: what they print, and how they end.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace tandem::test {

/// A program that stands next to the running test: "tandem", "tandemd".
inline std::string beside_the_test(const std::string& name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

/// The files of a folder with this extension, in order.
inline std::vector<std::string> files_in(const std::string& folder, std::string_view extension) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == extension) found.push_back(entry.path().string());
  std::sort(found.begin(), found.end());
  return found;
}

/// Whether a SIGSTOP has come into effect.
inline bool is_stopped(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat((std::istreambuf_iterator<char>(file)), {});
  const std::size_t state = stat.rfind(") ");
  return state != stat.npos && stat[state + 2] == 'T';
}

/// A folder that is gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = "/tmp/tandem-test-XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path(const std::string& name) const { return path_ + "/" + name; }
  /// Writes a file that is for this user alone; gives its path.
  std::string write(const std::string& name, const std::string& contents) const {
    std::ofstream(path(name)) << contents;
    std::filesystem::permissions(path(name),
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return path(name);
  }

 private:
  std::string path_;
};

using Environment = std::map<std::string, std::string>;

/// One run of a program. Ends with the test at the latest.
class Program {
 public:
  /// `arguments` begin with the program's path. It sees PATH and what `environment` adds, nothing else. `output`: a file
  /// for its standard output, else a pipe to here. `prepare` runs in the new process, just before the program.
  explicit Program(
      const std::vector<std::string>& arguments, const Environment& environment = {},
      const std::string& output = "", const std::function<void()>& prepare = [] {}) {
    std::array<int, 2> out{}, errors{};
    EXPECT_EQ(::pipe2(out.data(), O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(errors.data(), O_CLOEXEC), 0);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(126);
      int into = output.empty() ? out[1] : ::open(output.c_str(), O_WRONLY | O_CLOEXEC);
      ::dup2(into, STDOUT_FILENO);
      ::dup2(errors[1], STDERR_FILENO);
      prepare();
      execute(arguments, environment);
    }
    ::close(out[1]);
    ::close(errors[1]);
    out_ = out[0];
    errors_ = errors[0];
  }
  ~Program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      (void)wait();
    }
    ::close(out_);
    ::close(errors_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  /// One line of its standard output, without the line end; empty at the end.
  std::string read_line() {
    std::string line;
    for (char c = 0; ::read(out_, &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }
  void signal(int number) { ::kill(pid_, number); }
  /// Takes in what it prints until it ends. Gives its exit status, or minus the signal that ended it.
  int wait() {
    pollfd watched[2] = {{out_, POLLIN, 0}, {errors_, POLLIN, 0}};
    std::string* texts[2] = {&out, &errors};
    while (watched[0].fd >= 0 || watched[1].fd >= 0) {
      if (::poll(watched, 2, -1) < 0) continue;
      for (int i = 0; i < 2; ++i) {
        if (watched[i].revents == 0) continue;
        char part[65536];
        ssize_t count = ::read(watched[i].fd, part, sizeof part);
        if (count > 0) texts[i]->append(part, static_cast<std::size_t>(count));
        else watched[i].fd = -1;
      }
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }

  std::string out;  // filled by wait()
  std::string errors;

 private:
  [[noreturn]] static void execute(const std::vector<std::string>& arguments,
                                   const Environment& environment) {
    std::vector<std::string> settings;
    if (const char* path = ::getenv("PATH")) settings.push_back("PATH=" + std::string(path));
    for (const auto& [name, value] : environment) settings.push_back(name + "=" + value);
    auto pointers = [](const std::vector<std::string>& texts) {
      std::vector<char*> all;
      for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
      all.push_back(nullptr);
      return all;
    };
    ::execve(arguments[0].c_str(), pointers(arguments).data(), pointers(settings).data());
    ::_exit(127);
  }

  pid_t pid_ = -1;
  int out_ = -1;
  int errors_ = -1;
};

}  // namespace tandem::test
