#!/usr/bin/env bash
# Builds what can be installed, tandem itself and its command line, and runs the first program: ten worker processes sharing a dict and a list.
# Installs missing Debian packages, so the first run needs root or sudo.
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/packages.sh

say "Packages"
packages_install "${packages_to_build[@]}"

say "Building (Release) into build/"
configure build -DCMAKE_BUILD_TYPE=Release -DTANDEM_TESTS=OFF
cmake --build build --target tandemd tandem example_manager

say "Running build/bin/example_manager (examples/manager.cpp)"
build/bin/example_manager
