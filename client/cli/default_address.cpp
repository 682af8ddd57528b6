#include "client/cli/default_address.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "tandem/error.hpp"

namespace tandem::client {

std::string default_address() {
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime == '/')
    return "unix:" + std::string(runtime) + "/tandem.sock";
  const std::string folder = "/tmp/tandem-" + std::to_string(::geteuid());
  struct stat found {};
  if (::lstat(folder.c_str(), &found) != 0)
    throw ConnectionError("no tandemd of this user seems to run, as there is no " + folder +
                          "; say --address or TANDEM_ADDRESS for another one");
  if (!S_ISDIR(found.st_mode) || found.st_uid != ::geteuid() || (found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    throw ConnectionError(folder + " is not a folder of this user alone; say --address");
  return "unix:" + folder + "/tandem.sock";
}

}  // namespace tandem::client
