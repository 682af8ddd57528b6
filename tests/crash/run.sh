#!/usr/bin/env bash
# Kills a manager with a journal N times at each level, at random microseconds, under eight clients that write.
#   tests/crash/run.sh [--cycles N]
set -euo pipefail
cd "$(dirname "$0")/../.."
source .ci/packages.sh

cycles=1000
while (($# > 0)); do
  case $1 in
    --cycles) cycles=$2; shift 2 ;;
    *) echo "usage: tests/crash/run.sh [--cycles N]" >&2; exit 2 ;;
  esac
done
packages_install "${packages_to_build[@]}" "${packages_to_test[@]}"
configure build -DCMAKE_BUILD_TYPE=Release -DTANDEM_TESTS=ON
cmake --build build --target crash_test tandemd
TANDEM_CRASH_CYCLES=$cycles build/bin/crash_test
