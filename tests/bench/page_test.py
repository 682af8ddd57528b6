#!/usr/bin/python3
"""The tables and the page, made of figures that were thought up.

  page_test.py                   the tables and the page alone
  page_test.py BINARIES SYSTEMS  besides, a tiny run of the suite with the programs of that folder; SYSTEMS:
                                 which, separated by commas
"""

import contextlib
import html.parser
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
import page  # noqa: E402
import report  # noqa: E402
import suite  # noqa: E402
import systems  # noqa: E402
import targets  # noqa: E402


def rate(workload, system, ops_per_s, clients=1, depth=1, **more):
    return {"workload": workload, "system": system, "clients": clients, "depth": depth,
            "ops_per_s": ops_per_s, "p50_us": 1e6 / ops_per_s, "p99_us": 2e6 / ops_per_s, "p999_us": 0.0, **more}


def memory(workload, system, bytes_per_entry):
    return {"workload": workload, "system": system, "clients": 1, "depth": 1, "bytes_per_entry": bytes_per_entry}


FOUND = {
    "machine": {"cpu": "a <fast> one", "cpus": 2},
    "rows": [
        rate("dict_get", "tandem-ring", 1_000_000), rate("dict_get", "redis-unix", 40_000),
        rate("dict_get", "raw-ring", 2_500_000), rate("dict_get", "tandem-unix", 200_000),
        rate("dict_get", "tandem-unix", 100_000, 2), rate("dict_get", "tandem-unix", 110_000, 8),
        rate("dict_get_busy_2", "tandem-ring", 60_000), rate("dict_get_busy_2", "redis-unix", 50_000),
        rate("large_get", "tandem-ring", 5_000, bytes_per_s=5_000 << 20),
        rate("dict_get_pipelined", "tandem-unix", 1_400_000, 8, 16),
        rate("dict_get_pipelined", "redis-unix", 1_000_000, 8, 16),
        memory("memory_dict_int", "tandem", 40.0), memory("memory_dict_int", "redis-unix", 50.0),
        memory("memory_list_int", "tandem", 17.0),
        *({"workload": "insert_front", "system": "tandem", "clients": 1, "depth": 1, "axis": "entries",
           "at": at, "p50_us": 5.0, "max_us": 70.0} for at in (100, 10_000, 1_000_000)),
    ],
    "measures": [{"measure": "killed_holder_handover", "system": "tandem-unix", "rounds": 3, "median_ms": 0.3,
                  "max_ms": 51.0}],
}


class Elements(html.parser.HTMLParser):
    """Which elements there are, whether each is closed, and what they refer to."""

    VOID = {"meta"}
    DRAWN = {"line", "rect", "circle", "polyline"}  # may close themselves

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.names, self.references, self.texts = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.references += [value for name, value in attrs if name in ("src", "href", "data", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        assert tag in self.DRAWN, tag
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> where {self.open[-1:]} is open"
        self.open.pop()

    def handle_data(self, data):
        self.texts.append(data)


def check_page(test, text, systems):
    elements = Elements(text)
    test.assertEqual(elements.open, [])
    test.assertEqual(elements.references, [], "it needs nothing besides itself")
    test.assertNotIn("script", elements.names)
    test.assertNotIn("link", elements.names)
    for outside in ("http:", "https:", "@import", "url("):
        test.assertNotIn(outside, text)
    test.assertIn("svg", elements.names)
    for system in systems:
        test.assertIn(system, elements.texts)


class PageTest(unittest.TestCase):
    def test_page_stands_by_itself(self):
        text = page.render(FOUND)
        check_page(self, text, ["tandem-ring", "tandem-unix", "redis-unix", "raw-ring"])
        self.assertIn("a &lt;fast&gt; one", text)
        for title in ("Throughput", "Latency", "Bandwidth", "More clients", "More work", "Memory", "Times",
                      "To reach"):
            self.assertIn(f"<h2>{title}</h2>", text)
        for caption in ("insert_front: us, median", "insert_front: us, longest of all"):
            self.assertIn(f"<figcaption>{caption}</figcaption>", text)
        self.assertIn(">5 k MiB/s<", text)

    def test_page_of_nothing(self):
        check_page(self, page.render({"machine": {}, "rows": [], "measures": []}) + "<svg></svg>", [])

    def test_places_on_a_logarithmic_axis(self):
        scale = page.LogScale([2, 300], 0, 300)
        self.assertEqual(scale.ticks, [1, 10, 100, 1000])
        self.assertAlmostEqual(scale(10), 100)
        self.assertEqual(page.LogScale([1, 1], 0, 1).ticks, [1, 10])

    def test_bars_that_lie_far_apart_have_a_logarithmic_axis(self):
        _, near = page.bars_of([("a", 10), ("b", 20)], "ops/s")
        self.assertIn('width="170.0"', "".join(near))
        self.assertNotIn("axis", "".join(near))
        _, far = page.bars_of([("a", 10), ("b", 1000)], "ops/s")
        self.assertIn('class="axis"', "".join(far))

    def test_one_chart_alone(self):
        text = page.chart(FOUND, "dict_get", 1)
        xml.etree.ElementTree.fromstring(text)
        self.assertIn(">raw-ring<", text)
        with self.assertRaises(SystemExit):
            page.chart(FOUND, "dict_get", 3)

    def test_numbers_are_shortened(self):
        self.assertEqual([page.short_number(n) for n in (0.5, 12, 1234, 5.6e6, 7e9)],
                         ["0.5", "12", "1.23 k", "5.6 M", "7 G"])


class ReportTest(unittest.TestCase):
    @staticmethod
    def outcome(*wanted, depth=1, of=None):
        for outcome in targets.outcomes(FOUND["rows"]):
            target = outcome.target
            if (target.workload, target.system, target.peer) == wanted and (target.depth, target.of) == (depth, of) and outcome.measured:
                return outcome.text, outcome.measured
        return None

    def test_ratios_are_met_or_short(self):
        self.assertEqual(self.outcome("dict_get", "tandem-ring", "redis-unix"), ("met", 25.0))
        self.assertEqual(self.outcome("dict_get", "tandem-ring", "raw-ring"), ("short", 0.4))
        self.assertEqual(self.outcome("dict_get_pipelined", "tandem-unix", "redis-unix", depth=16), ("met", 1.4))
        self.assertEqual(self.outcome("memory_dict_int", "tandem", "redis-unix"), ("met", 0.8))
        self.assertEqual(self.outcome("memory_list_int", "tandem", 16), ("short", 17 / 16))
        self.assertEqual(self.outcome("dict_get_busy_2", "tandem-ring", "redis-unix"), ("met", 1.2))
        self.assertEqual(self.outcome("dict_get_busy_2", "tandem-ring", "redis-unix", of="p99_us"), ("met", 50 / 60))

    def test_what_was_not_measured_is_said(self):
        texts = [o.text for o in targets.outcomes([])]
        self.assertEqual(set(texts), {"not measured"})
        self.assertEqual(len(texts), len(targets.TARGETS))

    def test_every_target_is_of_a_workload_that_is_measured_so(self):
        for target in targets.TARGETS:
            if target.workload.startswith("memory_"):
                continue
            workload, _, busy = target.workload.partition("_busy_")
            if busy:
                self.assertIn(workload, suite.BUSY_WORKLOADS)
                self.assertIn(int(busy), suite.BUSY)
                self.assertIn(target.clients, suite.BUSY_CLIENTS)
            self.assertEqual(target.depth, suite.WORKLOADS[workload].depth, target)
            measured = suite.WORKLOADS[workload].systems_by_clients[target.clients]
            self.assertIn(target.system, measured, target)
            self.assertIn(target.peer, measured, target)

    def test_tables_in_markdown(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            report.print_markdown(FOUND)
        lines = out.getvalue().splitlines()
        self.assertEqual({line.count("|") for line in lines[:lines.index("")]}, {7})
        self.assertIn("| dict_get | 1 | 1,000,000 (1.0) | 40,000 (25.0) | 2,500,000 (0.4) | 200,000 (5.0) |",
                      lines)

    def test_tables_show_everything(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            report.print_report(FOUND)
        text = out.getvalue()
        for part in ("1,000,000", "bytes per entry", "insert_front", "killed_holder_handover", "25.00", "met",
                     "short", "not measured", "5,000"):
            self.assertIn(part, text)


class SystemsTest(unittest.TestCase):
    def test_a_ring_is_seen(self):
        self.assertTrue(systems.has_ring({"sessions": [{"paths": {"unix": 1}}, {"paths": {"ring": 1}}]}))
        self.assertFalse(systems.has_ring({"sessions": [{"paths": {"unix": 1, "ring": 0}}, {}]}))


class TinyRun(unittest.TestCase):
    binaries, systems = None, None

    def run_suite(self, folder, *arguments):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "suite.py")
        return subprocess.run([sys.executable, program, "--binaries", self.binaries, "--pace", "tiny", "--systems",
                               self.systems, *arguments],
                              cwd=folder, capture_output=True, text=True, check=False, timeout=250)

    def test_rows_and_page_of_a_run(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.run_suite(
                folder, "--only", "dict_get,dict_set_pipelined,dict_get_pipelined,large_put,lock_unlock,queue_handover,"
                "killed_holder_handover", "--busy", "0,1",
                "--json", "figures.json", "--html", "figures.html")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("To reach", done.stdout)
            with open(os.path.join(folder, "figures.json"), encoding="utf-8") as file:
                found = json.load(file)
            with open(os.path.join(folder, "figures.html"), encoding="utf-8") as file:
                text = file.read()
        self.assertEqual(set(found), {"machine", "rows", "measures"})
        measured = {row["system"] for row in found["rows"]}
        self.assertLessEqual(set(self.systems.split(",")) - {"tandem-ring"}, measured)
        self.assertIn("dict_get_busy_1", {row["workload"] for row in found["rows"]})
        for row in found["rows"]:
            self.assertGreater(row["ops_per_s"], 0)
            self.assertLessEqual(row["p50_us"], row["p99_us"])
            self.assertLessEqual(row["p99_us"], row["p999_us"])
            self.assertIn("spread", row)
            self.assertEqual("bytes_per_s" in row, row["workload"] == "large_put")
        self.assertEqual({entry["rounds"] for entry in found["measures"]}, {1})
        check_page(self, text, measured)

    def test_unknown_names_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.run_suite(folder, "--only", "dict_get,hope")
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no hope", done.stderr)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        TinyRun.systems = sys.argv.pop()
        TinyRun.binaries = sys.argv.pop()
        unittest.main()
    unittest.main(defaultTest=["PageTest", "ReportTest", "SystemsTest"])
