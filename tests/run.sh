#!/usr/bin/env bash
# Builds tandem and runs all its tests. Arguments are passed to ctest (for instance: -R engine).
# Installs missing Debian packages, so the first run needs root or sudo.
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/packages.sh

say "Packages"
packages_install "${packages_to_build[@]}" "${packages_to_test[@]}"

say "Building (Release) into build/"
configure build -DCMAKE_BUILD_TYPE=Release -DTANDEM_TESTS=ON
cmake --build build

say "Testing"
ctest --test-dir build --output-on-failure -j$(($(nproc) + 1)) "$@"
