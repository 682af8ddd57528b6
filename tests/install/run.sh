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
  build=$work/build
  # Optimisation does not change what is installed, or where; without it the build takes a third of the time.
  cmake -S "$source_dir" -B "$build" -G Ninja "${cxx[@]}" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 \
    -DBUILD_SHARED_LIBS=ON \
    -DTANDEM_TESTS=OFF -DTANDEM_EXAMPLES=OFF
  cmake --build "$build"
else
  build=$1 work=$2
fi

rm -rf "$work/first" "$work/prefix" "$work/outside"
cmake --install "$build" --prefix "$work/first"
mv "$work/first" "$work/prefix"

cmake -S "$here" -B "$work/outside" -G Ninja "${cxx[@]}" -DCMAKE_PREFIX_PATH="$work/prefix"
cmake --build "$work/outside"

# Neither the working directory nor an environment variable may lead to a manager of another build.
cd "$work/outside"
env -u TANDEM_ADDRESS -u TANDEM_AUTHKEY_FILE PATH="$work/prefix/bin:$PATH" \
  ./outside "$work/prefix/bin/tandemd"
"$work/prefix/bin/tandemd" --version
"$work/prefix/bin/tandem" --version
