#!/usr/bin/env bash
# Installs tandem into a fresh prefix, then builds and runs the small project beside this script against it,
# with nothing but the installed files:
#
#   run.sh BUILD_DIR WORK_DIR              installs what BUILD_DIR has built
#   run.sh --shared SOURCE_DIR WORK_DIR    builds SOURCE_DIR first, with shared libraries
#
# The prefix is moved before it is used: no installed file may depend on where it was installed first.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cxx=(-DCMAKE_CXX_COMPILER="${CXX:-c++}" -DCMAKE_CXX_COMPILER_LAUNCHER="${CXX_LAUNCHER:-}")

if [[ "$1" == --shared ]]; then
  source_dir=$2 work=$3
  build=$work/tree/build
  # A copy, built at the place where a build of it would be: so ccache finds in it what it knows of SOURCE_DIR.
  rm -rf "$work/tree"
  mkdir -p "$work/tree"
  cp -r "$source_dir"/{CMakeLists.txt,client,include,server} "$work/tree"
  export CCACHE_BASEDIR=$work/tree
  # Where there is no ccache, without optimisation, which changes nothing of what is installed and takes a third of the
  # time.
  build_type=(-DCMAKE_BUILD_TYPE=Release)
  [[ -n "${CXX_LAUNCHER:-}" ]] || build_type=(-DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0)
  cmake -S "$work/tree" -B "$build" -G Ninja "${cxx[@]}" "${build_type[@]}" \
    -DBUILD_SHARED_LIBS=ON \
    -DTANDEM_TESTS=OFF -DTANDEM_EXAMPLES=OFF
  cmake --build "$build"
else
  build=$1 work=$2
fi

mkdir -p "$work"
rm -rf "$work/first" "$work/prefix" "$work/outside"
cmake --install "$build" --prefix "$work/first" >"$work/installed.log"
mv "$work/first" "$work/prefix"

cmake -S "$here" -B "$work/outside" -G Ninja "${cxx[@]}" -DCMAKE_PREFIX_PATH="$work/prefix"
cmake --build "$work/outside"

# Neither the working directory nor an environment variable may lead to a manager: a user's program finds the installed
# one by itself.
cd "$work/outside"
env -i ./outside "$work/prefix/bin/tandemd"

# The same for a program that is built without CMake. The compiler has to see where the headers are, so ccache may not
# make their paths relative.
unset CCACHE_BASEDIR
if command -v pkg-config >/dev/null; then
  PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name tandem.pc)")
  export PKG_CONFIG_PATH
  # shellcheck disable=SC2046  # several words are wanted
  ${CXX_LAUNCHER:-} "${CXX:-c++}" -std=c++20 -O0 "$here/client.cpp" -o client $(pkg-config --cflags --libs tandem) \
    -Wl,-rpath,"$(pkg-config --variable=libdir tandem)"
  env -i ./client "$work/prefix/bin/tandemd"
fi

"$work/prefix/bin/tandemd" --version
"$work/prefix/bin/tandem" --version
