#!/usr/bin/env python3
"""The checker of the example programs must itself be able to say no."""

import os
import subprocess
import sys
import tempfile
import unittest

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check.py")


class CheckTest(unittest.TestCase):
    def check(self, expected, *command):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(expected)
            file.flush()
            check = [sys.executable, CHECK, file.name]
            return subprocess.run(check + list(command), capture_output=True, text=True)

    def accepts(self, expected, *command):
        result = self.check(expected, *command)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def refuses(self, reason, expected, *command):
        result = self.check(expected, *command)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn(reason, result.stdout)

    def test_lines_in_order(self):
        self.accepts("a\nb [0-9]+\n", "printf", "a\nb 12\n")
        self.refuses("line 1", "a\nb\n", "printf", "b\na\n")

    def test_group_in_any_order(self):
        self.accepts("{\na\n.*\nc\n}\nend\n", "printf", "b\nc\na\nend\n")
        self.refuses("lines 1 to 2", "{\na\nb\n}\nend\n", "printf", "b\nb\nend\n")
        self.refuses("lines 1 to 2", "{\na\nb\n}\nend\n", "printf", "a\nend\nb\n")

    def test_missing_and_surplus_lines(self):
        self.refuses("line 2", "a\nb\n", "printf", "a\n")
        self.refuses("nothing more was expected", "a\n", "printf", "a\nb\n")

    def test_exit_status(self):
        self.refuses("exit status 3", "a\n", "sh", "-c", "echo a; exit 3")

    def test_programs_in_sequence(self):
        self.accepts("a\nb\n", "echo", "a", "++", "echo", "b")

    def test_orphan_is_waited_for_and_its_output_counts(self):
        with tempfile.TemporaryDirectory() as directory:
            fifo = os.path.join(directory, "fifo")
            os.mkfifo(fifo)
            command = f"(read line; echo late) <>{fifo} & echo now; echo go >{fifo}"
            self.refuses("nothing more was expected", "now\n", "sh", "-c", command)

    def test_orphan_that_stays(self):
        self.refuses("left behind: process", "now\n", "--grace", "0.1", "sh", "-c", "sleep 1000 & echo now")

    def test_bad_expectation(self):
        self.assertNotEqual(self.check("{\na\n", "echo", "a").returncode, 0)


if __name__ == "__main__":
    unittest.main()
