"""Three kinds of chart as SVG: lines, bars, and bars in parts. The page's own CSS colours them.

All are 400 wide, so that their text is legible on a phone without scrolling.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from .scales import Scale, from_zero, log_around

WIDTH = 400
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 44
LINES_HEIGHT = 270
ROW = 42
KINDS = 6
"""Styles of a series in the page's CSS; later ones begin anew."""


@dataclass(frozen=True)
class Line:
    """A series."""

    name: str
    points: Sequence[tuple[float, float]]
    dots: bool = True
    spans: Sequence[tuple[float, float, float]] = ()
    """Strokes up and down: a place across, the lowest and the highest value there."""


@dataclass(frozen=True)
class Bar:
    """A value with its name, and how it is written."""

    name: str
    value: float
    text: str
    kind: int = 0
    span: tuple[float, float] | None = None
    """Between which values it lies, as far as is certain."""


def lines(
    series: Sequence[Line],
    *,
    x: str,
    y: str,
    log_x: bool = False,
    bound: tuple[str, float] | None = None,
    at: tuple[str, float] | None = None,
) -> str:
    """Lines over a logarithmic height; ``bound`` is a level and ``at`` a place across, with their names."""
    xs = [one for line in series for one, _ in line.points] + ([at[1]] if at else [])
    ys = [one for line in series for _, one in line.points] + ([bound[1]] if bound else [])
    ys += [one for line in series for _, *ends in line.spans for one in ends]
    across = (log_around if log_x else from_zero)(xs, LEFT, WIDTH - RIGHT)
    up = log_around(ys, LINES_HEIGHT - BOTTOM, TOP)
    svg = _svg(LINES_HEIGHT)
    for tick in up.ticks():
        _node(svg, "line", "grid", x1=LEFT, x2=WIDTH - RIGHT, y1=up(tick), y2=up(tick))
        _node(svg, "text", "tick end", _short(tick), x=LEFT - 6, y=up(tick) + 4)
    _across(svg, across, LINES_HEIGHT - BOTTOM, x)
    _node(svg, "text", "axis", y, x=-(LINES_HEIGHT - BOTTOM + TOP) / 2, y=12, transform="rotate(-90)")
    if bound:
        level = up(bound[1])
        _node(svg, "line", "bound", x1=LEFT, x2=WIDTH - RIGHT, y1=level, y2=level)
        _node(svg, "text", "mark", bound[0], x=LEFT + 4, y=level - 5)
    if at:
        place = across(at[1])
        _node(svg, "line", "bound", x1=place, x2=place, y1=TOP, y2=LINES_HEIGHT - BOTTOM)
        _node(svg, "text", "mark end", at[0], x=place - 5, y=TOP + 10)
    for number, line in enumerate(series):
        kind = f"k{number % KINDS}"
        places = [(across(one), up(other)) for one, other in line.points]
        _node(svg, "polyline", f"line {kind}", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in places))
        for one, low, high in line.spans:
            place = across(one)
            _node(svg, "line", f"span {kind}", x1=place, x2=place, y1=up(low), y2=up(high))
        for a, b in places if line.dots else ():
            _node(svg, "circle", f"dot {kind}", cx=a, cy=b, r=3.5)
    return ET.tostring(svg, encoding="unicode")


def bars(rows: Sequence[Bar], *, x: str, log: bool = False, bound: tuple[str, float] | None = None) -> str:
    """A bar for each value, its name above it."""
    values = [row.value for row in rows] + ([bound[1]] if bound else [])
    values += [end for row in rows for end in row.span or ()]
    # The longest leaves room for what is written behind it.
    end = WIDTH - RIGHT - 62
    across = log_around(values, 8, end) if log else from_zero(values, 8, end)
    height = TOP + ROW * len(rows) + BOTTOM
    svg = _svg(height)
    if bound:
        place = across(bound[1])
        _node(svg, "line", "bound", x1=place, x2=place, y1=TOP, y2=height - BOTTOM)
        _node(svg, "text", "mark", bound[0], x=place + 4, y=height - BOTTOM - 4)
    for number, row in enumerate(rows):
        top, to = TOP + ROW * number, across(row.value)
        _node(svg, "text", "name", row.name, x=8, y=top + 12)
        _node(svg, "rect", f"bar k{row.kind}", x=8, y=top + 17, width=max(2.0, to - 8), height=15, rx=2)
        if row.span:
            low, high = map(across, row.span)
            _node(svg, "path", "span", d=f"M{low:.1f},{top + 20}v9m0,-4.5H{high:.1f}m0,-4.5v9")
            to = max(to, high)
        _node(svg, "text", "value", row.text, x=to + 6, y=top + 29)
    _across(svg, across, height - BOTTOM, x)
    return ET.tostring(svg, encoding="unicode")


def parts(rows: Sequence[tuple[str, Sequence[float]]], *, x: str) -> str:
    """A bar for each row, put together from its parts, in the order of the legend."""
    across = from_zero([sum(values) for _, values in rows], 8, WIDTH - RIGHT)
    height = TOP + ROW * len(rows) + BOTTOM
    svg = _svg(height)
    for number, (name, values) in enumerate(rows):
        top, done = TOP + ROW * number, 0.0
        _node(svg, "text", "name", name, x=8, y=top + 12)
        for kind, value in enumerate(values):
            start, to = across(done), across(done + value)
            _node(svg, "rect", f"bar k{kind}", x=start, y=top + 17, width=to - start, height=15)
            done += value
    _across(svg, across, height - BOTTOM, x)
    return ET.tostring(svg, encoding="unicode")


def _svg(height: float) -> ET.Element:
    # What it shows is said by the figure round it; its bits of text would only be noise.
    box = f"0 0 {WIDTH} {height:g}"
    return ET.Element("svg", {"viewBox": box, "aria-hidden": "true", "focusable": "false"})


def _across(svg: ET.Element, scale: Scale, level: float, name: str) -> None:
    _node(svg, "line", "base", x1=scale.start, x2=scale.end, y1=level, y2=level)
    for tick in scale.ticks():
        _node(svg, "line", "base", x1=scale(tick), x2=scale(tick), y1=level, y2=level + 4)
        _node(svg, "text", "tick", _short(tick), x=scale(tick), y=level + 17)
    _node(svg, "text", "axis", name, x=(scale.start + scale.end) / 2, y=level + 36)


def _node(
    parent: ET.Element, tag: str, name: str, text: str | None = None, **attributes: float | str
) -> None:
    written = {
        key: value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
        for key, value in attributes.items()
    }
    ET.SubElement(parent, tag, {"class": name} | written).text = text


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:,g}"
