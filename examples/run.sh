#!/usr/bin/env bash
# Builds tandem and runs the first program: ten worker processes sharing a dict and a list.
# Installs the Debian packages that are missing, so it wants root or sudo the first time.
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/packages.sh

say "Packages"
packages_install "${packages_to_build[@]}"

say "Building (Release) into build/"
configure build -DCMAKE_BUILD_TYPE=Release -DTANDEM_TESTS=OFF
cmake --build build --target tandemd example_manager

say "Running build/bin/example_manager (examples/manager.cpp)"
build/bin/example_manager
