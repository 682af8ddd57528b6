#!/usr/bin/python3
"""How many instructions an operation costs, counted by callgrind, and where they go. Instruction counts can be repeated
where times cannot, so this is the guard against slow losses.

    tests/bench/instructions.sh              compares with what instructions.json says; fails beyond its tolerance
    tests/bench/instructions.sh --write      writes what was counted there
    tests/bench/instructions.sh --where NAME prints the functions in which NAME spends most
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED = os.path.join(HERE, "instructions.json")
TIMES = 1000
TOLERANCE = 0.05  # compilers of one version differ by less, from one machine to another


def count(program, name, times=TIMES):
    """Instructions in all, those of the manager's side, and callgrind's file as text."""
    with tempfile.TemporaryDirectory(prefix="tandem-instructions-") as folder:
        out = os.path.join(folder, "out")
        subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--toggle-collect=*measured(*",
             program, name, str(times)], check=True, capture_output=True, text=True)
        annotate = ["callgrind_annotate", "--threshold=100", "--show-percs=no"]
        own = subprocess.run(annotate + [out], check=True, capture_output=True, text=True).stdout
        inclusive = subprocess.run(annotate + ["--inclusive=yes", out], check=True, capture_output=True,
                                   text=True).stdout
    total = int(re.search(r"([\d,]+)\s+PROGRAM TOTALS", own).group(1).replace(",", ""))
    manager = max((int(line.split()[0].replace(",", "")) for line in inclusive.splitlines()
                   if "tandem::server::Channel::received" in line), default=0)
    return total / times, manager / times, own


def where(own, times=TIMES, rows=25):
    """The functions that cost most, as (instructions per operation, function)."""
    found = []
    for line in own.splitlines():
        match = re.match(r"\s*([\d,]+)\s+\S*?:(.+?)(?: \[.*\])?$", line)
        if match and "PROGRAM" not in line:
            found.append((int(match.group(1).replace(",", "")) / times, match.group(2)))
    return sorted(found, reverse=True)[:rows]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--where", metavar="NAME")
    options = parser.parse_args()
    program = os.path.join(options.binaries, "bench_instructions")
    if options.where:
        total, manager, own = count(program, options.where)
        print(f"{options.where}: {total:.0f} instructions, {manager:.0f} of them the manager's")
        for instructions, function in where(own):
            print(f"{instructions:8.0f}  {function[:150]}")
        return 0

    names = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    expected = {}
    if os.path.exists(EXPECTED):
        with open(EXPECTED, encoding="utf-8") as file:
            expected = json.load(file)
    counted, failed = {}, False
    print(f"{'operation':16} {'instructions':>12} {'manager':>8} {'client':>8} {'expected':>9}")
    for name in names:
        total, manager, _ = count(program, name)
        counted[name] = {"instructions": round(total), "manager": round(manager)}
        before = expected.get(name, {}).get("instructions")
        verdict = "" if before is None else f"{total / before - 1:+.1%}"
        if before is not None and total > before * (1 + TOLERANCE):
            verdict += "  TOO MANY"
            failed = True
        print(f"{name:16} {total:12.0f} {manager:8.0f} {total - manager:8.0f} {before or '-':>9} {verdict}")
    if options.write:
        with open(EXPECTED, "w", encoding="utf-8") as file:
            json.dump(counted, file, indent=1)
            file.write("\n")
        return 0
    if failed:
        print("An operation costs more instructions than it did. Find out where they go (--where NAME); if they are worth it, "
              "--write.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
