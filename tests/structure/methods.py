#!/usr/bin/python3
"""Checks that every public method of a proxy is called by its type's contract test, and so is every template
instantiated.

    methods.py ROOT

The methods are those of the classes in include/tandem/proxy/NAME.hpp; the test is tests/contract/NAME_test.cpp. Headers
without such a test are parts of others. Prints what no test calls; ends with 1 if there is any.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
import headers  # noqa: E402

# Called otherwise than by their name.
CALLED_OTHERWISE = {
    ("array", "check_type"): "by the factories, for every array that exists already",
    ("locks", "keys"): "by lock_all's guards",
    ("semaphore", "swap"): "by the assignment of guards",
}


def methods_of(path):
    with open(path, encoding="utf-8") as file:
        scope = headers.Class("")
        headers.parse_file(path, file.read(), scope)
    for cls in scope.classes.values():
        for function in cls.functions:
            if function.access == "public" and function.name != cls.name and not function.name.startswith(("operator", "~")):
                yield cls.name, function.name


def untested(root):
    """(class, method, test) of each that its test does not call, and the number of methods looked at."""
    folder = os.path.join(root, "include/tandem/proxy")
    missing, count = set(), 0
    for header in sorted(os.listdir(folder)):
        name = header.removesuffix(".hpp")
        test = f"tests/contract/{name}_test.cpp"
        if not os.path.exists(os.path.join(root, test)):
            continue
        with open(os.path.join(root, test), encoding="utf-8") as file:
            calls = set(re.findall(r"(?:\.|->)\s*(?:template\s+)?(\w+)\s*[(<]", file.read()))
        for cls, method in methods_of(os.path.join(folder, header)):
            count += 1
            if method not in calls and (name, method) not in CALLED_OTHERWISE:
                missing.add((cls, method, test))
    return sorted(missing), count


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    missing, count = untested(sys.argv[1])
    for cls, method, test in missing:
        print(f"{test} does not call {cls}::{method}")
    if count == 0:
        sys.exit("no methods were found")
    print(f"{count} public methods of proxies; {len(missing)} that the type's test does not call")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
