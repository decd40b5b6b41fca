"""A curve as an SVG, without a library: both axes logarithmic, a bar from minimum to maximum at each median."""

import math

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 200, 40, 50
COLOURS = ("#1769aa", "#c0392b", "#2e7d32", "#8e44ad", "#b9770e")


def decades(low, high):
    """The powers of ten that cover [low, high]; at least two, so that there is an axis."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    return [10.0 ** power for power in range(first, max(last, first + 1) + 1)]


def tick_text(value):
    for unit, word in ((1e6, "M"), (1e3, "k")):
        if value >= unit and value % (unit / 10) == 0:
            return f"{value / unit:g}{word}"
    return str(int(value)) if value >= 1 else f"{value:g}"


class axis:
    def __init__(self, values, begin, end):
        self.ticks = decades(min(values), max(values))
        self.begin, self.end = begin, end

    def at(self, value):
        low, high = math.log10(self.ticks[0]), math.log10(self.ticks[-1])
        return self.begin + (math.log10(value) - low) / (high - low) * (self.end - self.begin)


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def svg(title, x_title, y_title, curves):
    """`curves`: name -> [(x, minimum, median, maximum)], all above 0."""
    points = [point for curve in curves.values() for point in curve]
    across = axis([point[0] for point in points], LEFT, WIDTH - RIGHT)
    up = axis([bound for point in points for bound in point[1:]], HEIGHT - BOTTOM, TOP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             f'<text x="{LEFT}" y="22" font-size="15">{escaped(title)}</text>']
    for tick in across.ticks:
        x = across.at(tick)
        parts += [f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>',
                  f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick_text(tick)}</text>']
    for tick in up.ticks:
        y = up.at(tick)
        parts += [f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>',
                  f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick_text(tick)}</text>']
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts += [f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escaped(x_title)}</text>',
              f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">{escaped(y_title)}</text>']
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(f"{across.at(x):.1f},{up.at(median):.1f}" for x, _, median, _ in curve)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, low, median, high in curve:
            parts += [f'<line x1="{across.at(x):.1f}" y1="{up.at(low):.1f}" x2="{across.at(x):.1f}" y2="{up.at(high):.1f}" '
                      f'stroke="{colour}"/>',
                      f'<circle cx="{across.at(x):.1f}" cy="{up.at(median):.1f}" r="3" fill="{colour}"/>']
        y = TOP + 14 + 18 * number
        parts += [f'<rect x="{WIDTH - RIGHT + 12}" y="{y - 9}" width="10" height="10" fill="{colour}"/>',
                  f'<text x="{WIDTH - RIGHT + 28}" y="{y}">{escaped(name)}</text>']
    return "\n".join([*parts, "</svg>\n"])
