#include "client/common/authkey.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "client/os/signals.hpp"
#include "tandem/error.hpp"

namespace tandem::client {

std::string read_authkey_file(const std::string& path) {
  auto refuse = [&path](const std::string& why) {
    throw ValueError("authkey file \"" + path + "\": " + why);
  };
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) refuse(os::errno_text());
  std::string key;
  char chunk[4096];
  while (std::size_t count = std::fread(chunk, 1, sizeof chunk, file.get())) key.append(chunk, count);
  if (std::ferror(file.get()) != 0) refuse(os::errno_text());
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
  if (key.empty()) refuse("it holds no key");
  return key;
}

}  // namespace tandem::client
