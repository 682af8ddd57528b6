# Sourced by the run scripts: the packages needed to build tandem, and functions to install and configure.

packages_to_build=(
  g++ cmake ninja-build ccache
  libasio-dev libcli11-dev libcpp-httplib-dev libfmt-dev libspdlog-dev libsqlite3-dev libssl-dev libsystemd-dev libxxhash-dev nlohmann-json3-dev
)
packages_to_test=(libgtest-dev libgmock-dev libmsgpack-cxx-dev python3 curl pkg-config)
packages_to_check=(clang clang-format clang-tidy llvm libclang-rt-14-dev)

say() { printf '\n== %s\n' "$*"; }

# packages_install NAME...: installs those of the named Debian packages that are missing.
packages_install() {
  local name missing=()
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This is not a Debian system, so nothing is installed. Needed are the equivalents of: $*"
    return 0
  fi
  for name in "$@"; do
    if [[ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" != installed ]]; then
      missing+=("$name")
    fi
  done
  if ((${#missing[@]} == 0)); then
    echo "All needed packages are installed."
    return 0
  fi

  local as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing: ${missing[*]}" >&2
      echo "Installing them takes root: run this as root, or install sudo, or install them yourself with" >&2
      echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing: ${missing[*]}"
  as_root+=(env DEBIAN_FRONTEND=noninteractive)
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# configure DIR OPTION...: configures the tree that contains this file into DIR, with ccache. ccache rejects
# precompiled headers unless their timestamps and macros are declared irrelevant; and a checkout elsewhere
# finds what was compiled here only if paths below the root are relative to it.
configure() {
  local dir=$1 root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  shift
  export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
  export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
  cmake -S "$root" -B "$dir" -G Ninja -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "$@"
}
