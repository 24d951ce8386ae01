# SPDX-License-Identifier: GPL-2.0
"""Lines over a logarithmic scale, as SVG."""
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 64, 176, 40, 48
# A name, not an address that anybody asks.
SVG = "http:" "//www.w3.org/2000/svg"
COLOURS = {"null": "#999999", "forward": "#555555", "conntrack": "#d62728", "conntrack-iptables": "#ff9896", "flowtable": "#ff7f0e",
           "fastnat-hooks": "#9ecae1", "fastnat": "#1f77b4", "fastnat-early": "#9467bd", "fastnat-conntrack": "#2ca02c"}


def nice(value):
    """The next of 1, 2, 5, 10, … above."""
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def text(x, y, words, anchor="middle", size=12, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" {more}>{words}</text>'


class Plot:
    """One diagram: series are {arm: [(x, spread), …]}."""

    def __init__(self, title, across, up, series):
        self.title, self.across, self.up = title, across, up
        self.series = {arm: sorted(points) for arm, points in series.items() if points}
        xs = sorted({x for points in self.series.values() for x, _ in points})
        self.ticks = xs
        self.low, self.high = math.log10(xs[0]), math.log10(xs[-1])
        most = max(values["max"] for points in self.series.values() for _, values in points)
        self.step = nice(most / 6)
        self.most = math.ceil(most / self.step) * self.step

    def x(self, value):
        part = (math.log10(value) - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - value / self.most * (HEIGHT - TOP - BOTTOM)

    def axes(self):
        right = WIDTH - RIGHT
        yield text(LEFT, 20, self.title, "start", 15)
        value = 0
        while value <= self.most:
            yield f'<path d="M{LEFT} {self.y(value):.1f}H{right}" stroke="#ddd"/>'
            yield text(LEFT - 8, self.y(value) + 4, f"{value:,.0f}", "end")
            value += self.step
        for tick in self.ticks:
            yield text(self.x(tick), HEIGHT - BOTTOM + 18, f"{tick:,}")
        yield text((LEFT + right) / 2, HEIGHT - 10, self.across)
        yield text(16, (TOP + HEIGHT - BOTTOM) / 2, self.up, more=f'transform="rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2})"')

    def line(self, arm, points):
        colour = COLOURS.get(arm, "#000000")
        path = "L".join(f"{self.x(x):.1f} {self.y(values['median']):.1f}" for x, values in points)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for x, values in points:
            yield f'<path d="M{self.x(x):.1f} {self.y(values["min"]):.1f}V{self.y(values["max"]):.1f}" stroke="{colour}"/>'
            yield f'<circle cx="{self.x(x):.1f}" cy="{self.y(values["median"]):.1f}" r="3" fill="{colour}"/>'

    def legend(self):
        """In the order of the last points, kept apart."""
        last = -100.0
        for arm, points in sorted(self.series.items(), key=lambda item: -item[1][-1][1]["median"]):
            last = max(last + 15, self.y(points[-1][1]["median"]))
            yield text(WIDTH - RIGHT + 12, last + 4, arm, "start", more=f'fill="{COLOURS.get(arm, "#000000")}"')

    def svg(self):
        parts = list(self.axes())
        for arm, points in self.series.items():
            parts += self.line(arm, points)
        parts += self.legend()
        body = "\n".join(parts)
        return (f'<svg xmlns="{SVG}" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">\n'
                f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n')


def by_size(summary, table):
    return {arm: [(int(row), table[row, arm]) for row in summary.rows(table) if row.isdigit() and (row, arm) in table] for arm in summary.arms}


def by_policies(summary, case):
    """Of the rows `policies NUMBER CASE`."""
    rows = [row for row in summary.rows(summary.gross) if row.startswith("policies ") and row.endswith(" " + case)]
    return {arm: [(int(row.split()[1]), summary.gross[row, arm]) for row in rows if (row, arm) in summary.gross] for arm in summary.arms}


def plots(summary):
    """Files by name, for what there is."""
    wanted = {
        "flows.svg": ("Established flows, 60-byte UDP", "flows", "ns a packet, gross", by_size(summary, summary.gross)),
        "flows-net.svg": ("Established flows, above the null arm", "flows", "ns a packet, net", by_size(summary, summary.net)),
        "policies.svg": ("Established flows by number of policies", "policies", "ns a packet", by_policies(summary, "established")),
        "policies-new.svg": ("New flows by number of policies", "policies", "ns a packet", by_policies(summary, "new")),
    }
    return {name: Plot(*words).svg() for name, words in wanted.items() if any(words[3].values())}
