#!/usr/bin/python3
"""The suite's figures as one HTML page that needs nothing besides itself: no network, no script, SVG charts.

  page.py FIGURES.json PAGE.html
  page.py FIGURES.json CHART.svg WORKLOAD CLIENTS     one chart alone: the throughput of one workload
"""

import html
import json
import math
import sys

from targets import describe, outcomes

COLOURS = {"tandem": "#2563c9", "tandem-engine": "#5b3fa8", "tandem-ring": "#1746a0", "tandem-unix": "#2563c9", "tandem-tcp": "#7aa7ee",
           "cpython-manager": "#b7791f", "cpython-native": "#e0b354", "redis-unix": "#c0392b",
           "boost-interprocess": "#2e8b57", "raw-unix": "#9aa0a6", "raw-ring": "#6b7075"}
OTHER_COLOUR = "#8e44ad"

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e21; --faint: #6a6f76; --line: #d9dce0;
        --met: #1e7d43; --short: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181b; --ink: #e6e7e9; --faint: #9ba1a8; --line: #33373c;
          --met: #58c27d; --short: #ff7b72; } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
       max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { margin-top: 2.5rem; } .faint { color: var(--faint); }
.charts { display: grid; gap: 1.5rem 2rem; grid-template-columns: repeat(auto-fill, minmax(30rem, 1fr)); }
figure { margin: 0; } figcaption { font-weight: 600; } svg { height: auto; max-width: 100%; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg .faint { fill: var(--faint); }
svg .axis { stroke: var(--line); } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th { text-align: left; }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .8rem .2rem 0; }
td.number { text-align: right; }
.met { color: var(--met); font-weight: 600; } .short { color: var(--short); font-weight: 600; }
"""

# Of charts: all, the systems' names, the figures behind bars, one system.
WIDTH, LABEL, VALUE, ROW = 560, 130, 90, 24
CURVES = (("p50_us", "us, median"), ("max_us", "us, longest of all"), ("bytes_per_s", "bytes/s"),
          ("bytes_per_entry", "bytes per entry"))  # what is drawn of rows that have it
SPAN_MAX = 30  # how many times the least the most may be, for bars that begin at 0
POINTS_NAMED_MAX = 8  # of a curve


def escape(text):
    return html.escape(str(text))


def colour(system):
    return COLOURS.get(system, OTHER_COLOUR)


def short_number(value):
    """1234567 as 1.23 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def figure(caption, height, parts):
    return (f'<figure><figcaption>{escape(caption)}</figcaption>'
            f'<svg viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" role="img" '
            f'aria-label="{escape(caption)}">{"".join(parts)}</svg></figure>')


def text(x, y, what, anchor="start", faint=False):
    kind = ' class="faint"' if faint else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(what)}</text>'


def upright(x, top, bottom):
    return f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'


def bars_of(values, unit):
    """Height and parts, on a logarithmic axis where they lie too far apart. `values`: (system, number) pairs."""
    numbers = [value for _, value in values]
    end, height, parts = WIDTH - VALUE, ROW * len(values), []
    if max(numbers) > SPAN_MAX * min(numbers):
        place = LogScale(numbers, LABEL, end)
        parts = [upright(place(tick), 0, height) +
                 text(place(tick), height + 14, short_number(tick), "middle", faint=True) for tick in place.ticks]
    else:
        place = lambda value: LABEL + (end - LABEL) * value / max(numbers)  # noqa: E731
    for i, (system, value) in enumerate(values):
        y = i * ROW
        length = max(1.0, place(value) - LABEL)
        parts.append(text(LABEL - 8, y + 16, system, "end"))
        parts.append(f'<rect x="{LABEL}" y="{y + 4}" width="{length:.1f}" height="{ROW - 8}" '
                     f'fill="{colour(system)}"><title>{escape(system)}: {value:,.1f} {escape(unit)}</title></rect>')
        parts.append(text(LABEL + length + 6, y + 16, f"{short_number(value)} {unit}"))
    return height + (20 if isinstance(place, LogScale) else 0), parts


def bars(caption, values, unit):
    height, parts = bars_of(values, unit)
    return figure(caption, height, parts)


def decades(least, most):
    """The powers of ten around both, at least two."""
    low = math.floor(math.log10(least))
    return [10.0 ** power for power in range(low, max(math.ceil(math.log10(most)), low + 1) + 1)]


class LogScale:
    """Numbers above 0 to places between two ends."""

    def __init__(self, values, begin, end, ticks=None):
        self.ticks = ticks or decades(min(values), max(values))
        self.begin, self.end = begin, end
        self.low, self.high = math.log10(self.ticks[0]), math.log10(self.ticks[-1])

    def __call__(self, value):
        return self.begin + (self.end - self.begin) * (math.log10(value) - self.low) / (self.high - self.low)


def latencies(caption, values):
    """`values`: (system, p50, p99, p99.9) in microseconds, on a logarithmic axis."""
    place = LogScale([max(number, 0.01) for _, *numbers in values for number in numbers], LABEL, WIDTH - 20)
    height = ROW * len(values)
    parts = []
    for tick in place.ticks:
        parts.append(upright(place(tick), 0, height))
        parts.append(text(place(tick), height + 14, f"{short_number(tick)} us", "middle", faint=True))
    for i, (system, *numbers) in enumerate(values):
        y = i * ROW + ROW / 2
        p50, p99, p999 = (place(max(number, 0.01)) for number in numbers)
        told = (f'<title>{escape(system)}: p50 {numbers[0]:g}, p99 {numbers[1]:g}, p99.9 {numbers[2]:g} us'
                '</title>')
        parts.append(text(LABEL - 8, y + 4, system, "end"))
        parts.append(f'<g stroke="{colour(system)}" fill="{colour(system)}">{told}'
                     f'<line x1="{p50:.1f}" x2="{p999:.1f}" y1="{y}" y2="{y}" stroke-width="2"/>'
                     f'<circle cx="{p50:.1f}" cy="{y}" r="6"/><circle cx="{p99:.1f}" cy="{y}" r="4"/>'
                     f'<line x1="{p999:.1f}" x2="{p999:.1f}" y1="{y - 6}" y2="{y + 6}" stroke-width="2"/>'
                     '</g>')
    return figure(caption, height + 20, parts)


def curves(caption, series, x_name, unit):
    """`series`: system → [(x, y)], both axes logarithmic."""
    points = [point for line in series.values() for point in line]
    top, bottom, left, right = 10, 240, 60, WIDTH - LABEL
    at = sorted({max(x, 1) for x, _ in points})
    across = LogScale(at, left, right, at if 1 < len(at) <= POINTS_NAMED_MAX else None)
    up = LogScale([max(y, 1e-3) for _, y in points], bottom, top)
    parts = []
    for tick in across.ticks:
        parts.append(upright(across(tick), top, bottom))
        parts.append(text(across(tick), bottom + 16, short_number(tick), "middle", faint=True))
    for tick in up.ticks:
        parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{up(tick):.1f}" y2="{up(tick):.1f}"/>')
        parts.append(text(left - 6, up(tick) + 4, short_number(tick), "end", faint=True))
    names = []
    for system, line in series.items():
        places = [(across(max(x, 1)), up(max(y, 1e-3))) for x, y in sorted(line)]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour(system)}" stroke-width="2"/>')
        for (x, y), (x_value, value) in zip(places, sorted(line)):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour(system)}">'
                         f'<title>{escape(system)}, {x_value:,} {escape(x_name)}: {value:,.1f} {escape(unit)}</title></circle>')
        names.append([places[-1][1], system])
    names.sort()
    for i, (y, system) in enumerate(names):  # names do not lie on each other
        names[i][0] = y if i == 0 else max(y, names[i - 1][0] + 14)
        parts.append(text(right + 8, names[i][0] + 4, system))
    parts.append(text((left + right) / 2, bottom + 34, f"{x_name}; up: {unit}", "middle", faint=True))
    return figure(caption, bottom + 42, parts)


def label_of(workload, clients, depth):
    several = "s" if clients > 1 else ""
    return f"{workload}, {clients} client{several}" + (f", depth {depth}" if depth > 1 else "")


def grouped(rows, *keys):
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def section(title, said, figures):
    if not figures:
        return ""
    return (f'<h2>{escape(title)}</h2><p class="faint">{escape(said)}</p>'
            f'<div class="charts">{"".join(figures)}</div>')


def rate_sections(rates):
    cells = grouped(rates, "workload", "clients", "depth")
    throughput = [bars(label_of(*which), [(row["system"], row["ops_per_s"]) for row in rows], "ops/s")
                  for which, rows in cells.items()]
    waiting = [latencies(label_of(*which),
                         [(row["system"], row["p50_us"], row["p99_us"], row["p999_us"]) for row in rows])
               for which, rows in cells.items()]
    moved = [bars(label_of(*which), [(row["system"], row["bytes_per_s"] / 2**20) for row in rows], "MiB/s")
             for which, rows in cells.items() if all("bytes_per_s" in row for row in rows)]
    return (section("Throughput", "Operations of all clients together, per second. Longer is better.", throughput) +
            section("Bandwidth", "Values of 1 MiB, one after the other.", moved) +
            section("Latency", "Of single calls: median (large dot), p99 (small dot), p99.9 (end of the line).",
                    waiting))


def curve_sections(rates, points):
    by_clients = []
    for (workload, depth), rows in grouped(rates, "workload", "depth").items():
        series = {system: [(row["clients"], row["ops_per_s"]) for row in its]
                  for (system,), its in grouped(rows, "system").items()}
        series = {system: line for system, line in series.items() if len(line) > 2}
        if series:
            by_clients.append(curves(workload + (f", depth {depth}" if depth > 1 else ""), series, "clients",
                                     "ops/s"))
    growing = []
    for (workload, axis), rows in grouped(points, "workload", "axis").items():
        for key, unit in CURVES:
            if having := [row for row in rows if row.get(key)]:
                series = {system: [(row["at"], row[key]) for row in its]
                          for (system,), its in grouped(having, "system").items()}
                growing.append(curves(f"{workload}: {unit}", series, axis, unit))
    return (section("More clients", "Throughput of all together; clients and servers share the machine's CPUs.",
                    by_clients) +
            section("More work", "What one operation takes as what is held grows.", growing))


def memory_section(rows):
    return section("Memory", "Bytes per entry. Shorter is better.",
                   [bars(workload, [(row["system"], row["bytes_per_entry"]) for row in its], "bytes")
                    for (workload,), its in grouped(rows, "workload").items()])


def table(header, lines):
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(line) + "</tr>" for line in lines)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def cell(what, kind=""):
    return f'<td class="{kind}">{escape(what)}</td>' if kind else f"<td>{escape(what)}</td>"


def targets_table(rows):
    lines = []
    for outcome in outcomes(rows):
        measured = "-" if outcome.measured is None else f"{outcome.measured:.2f}x"
        kind = outcome.text if outcome.measured is not None else "faint"
        lines.append([*(cell(part) for part in describe(outcome.target)), cell(measured, "number"),
                      cell(outcome.text, kind)])
    return "<h2>To reach</h2>" + table(["what", "of", "against", "at least", "measured", ""], lines)


def figures_table(rates):
    lines = [[cell(row["workload"]), cell(row["clients"], "number"), cell(row["depth"], "number"),
              cell(row["system"]), cell(f"{row['ops_per_s']:,.0f}", "number"),
              *(cell(f"{row[key]:,.1f}", "number") for key in ("p50_us", "p99_us", "p999_us"))] for row in rates]
    return "<h2>All figures</h2>" + table(
        ["workload", "clients", "depth", "system", "ops/s", "p50 us", "p99 us", "p99.9 us"], lines)


def times_table(measures):
    if not measures:
        return ""
    lines = [[cell(entry["measure"]), cell(entry["system"]), cell(entry["rounds"], "number"),
              cell(f"{entry['median_ms']:.2f}", "number"), cell(f"{entry['max_ms']:.2f}", "number")]
             for entry in measures]
    return "<h2>Times</h2>" + table(["measure", "system", "rounds", "median ms", "longest ms"], lines)


def render(found):
    """The page's text."""
    rates = [row for row in found["rows"] if "ops_per_s" in row and "axis" not in row]
    memory = [row for row in found["rows"] if "bytes_per_entry" in row and "axis" not in row]
    points = [row for row in found["rows"] if "axis" in row]
    machine = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in found["machine"].items())
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>tandem: figures</title>'
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
            f'<h1>tandem: figures</h1><p class="faint">{escape(machine)}</p>'
            f'{targets_table(found["rows"])}{rate_sections(rates)}{curve_sections(rates, points)}'
            f'{memory_section(memory)}{times_table(found["measures"])}{figures_table(rates)}</body></html>\n')


def chart(found, workload, clients):
    """One chart as an SVG file's text."""
    rows = [row for row in found["rows"]
            if (row["workload"], row["clients"]) == (workload, clients) and "ops_per_s" in row and "axis" not in row]
    if not rows:
        sys.exit(f"page: {workload} with {clients} clients was not measured")
    height, parts = bars_of([(row["system"], row["ops_per_s"]) for row in rows], "ops/s")
    top = 28
    whole = height + top + 6
    style = ("text { fill: #1c1e21; font: 12px sans-serif; } .title { font-weight: bold; } "
             ".faint { fill: #6a6f76; } .axis { stroke: #d9dce0; }")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {whole}" width="{WIDTH}" '
            f'height="{whole}"><style>{style}</style><rect width="100%" height="100%" fill="#fff"/>'
            f'<text class="title" x="8" y="18">{escape(label_of(workload, clients, rows[0]["depth"]))}</text>'
            f'<g transform="translate(0,{top})">{"".join(parts)}</g></svg>\n')


def write(text_written, path):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text_written)


def main():
    if len(sys.argv) not in (3, 5):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        found = json.load(file)
    write(render(found) if len(sys.argv) == 3 else chart(found, sys.argv[3], int(sys.argv[4])), sys.argv[2])


if __name__ == "__main__":
    main()
