"""Small charts of an environment's runs as SVG, drawn on the server: rows and seconds, a bar for each run. Pure.

They need no JavaScript. Each has a title and a sentence that says the same; `templates/charts.html` writes them down,
with a table beside for those who do not see them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup, escape

from bot.store.history import RunPoint
from bot.store.run_tables import EndedRun
from webhooks.limits import CHART_RUNS

WIDTH, HEIGHT = 320, 64  # of a drawing
_LEAST = 1.5  # the height of the smallest bar that is not nothing
_FAILED = 6.0  # of the mark of a run that failed


@dataclass(frozen=True)
class ChartPoint:
    """What a run is in a chart. value: None when it was not counted."""

    deployment: int
    ended: datetime
    status: str
    value: float | None


@dataclass(frozen=True)
class RunBar:
    """A run's bar: where it is in the drawing, and what it says."""

    point: ChartPoint
    text: str
    x: float
    y: float
    width: float
    height: float

    @property
    def is_bad(self) -> bool:
        """Return whether the run did not succeed, which is marked."""
        return self.point.status != "succeeded"


@dataclass(frozen=True)
class RunChart:
    """A chart of runs, the oldest first. title, description: in words what is seen."""

    title: str
    description: str
    bars: tuple[RunBar, ...]
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def drawing(self) -> Markup:
        """Return the bars as SVG. Written here, as a template takes ten times as long for some hundred bars."""
        return Markup("\n".join(map(_rect, self.bars)))  # noqa: S704 (it is escaped)


def run_charts(runs: Sequence[EndedRun]) -> tuple[RunChart, ...]:
    """Return the charts of runs, the newest of them first as the store gives them: their rows, and their seconds."""
    shown = runs[:CHART_RUNS][::-1]
    found = (
        (name, [_point(run, value) for run in shown]) for name, value in (("Rows", "rows"), ("Seconds", "seconds"))
    )
    return tuple(draw(name, name.lower(), points) for name, points in found)


def resource_chart(name: str, points: Sequence[RunPoint]) -> RunChart:
    """Return the chart of the rows of a resource or pipeline, whose points are the oldest first."""
    shown = points[-CHART_RUNS:]
    return draw(
        f"Rows of {name}", "rows", [ChartPoint(one.deployment, one.ended, one.status, one.rows) for one in shown]
    )


def draw(title: str, unit: str, points: Sequence[ChartPoint]) -> RunChart:
    """Return the chart of some runs, the oldest first."""
    most = max((point.value for point in points if point.value is not None), default=0.0) or 1.0
    step = WIDTH / max(len(points), 10)  # few runs make no wide bars
    bars = []
    for number, point in enumerate(points):
        height = max(_LEAST, round(HEIGHT * point.value / most, 1)) if point.value else 0.0
        if point.status != "succeeded":
            height = max(height, _FAILED)
        bars.append(
            RunBar(
                point,
                _text(point, unit),
                round(number * step, 2),
                round(HEIGHT - height, 1),
                round(step * 0.8, 2),
                height,
            )
        )
    return RunChart(title, _describe(points, unit), tuple(bars))


def _rect(bar: RunBar) -> str:
    place = f'x="{bar.x}" y="{bar.y}" width="{bar.width}" height="{bar.height}"'
    return f'<rect class="{"bad" if bar.is_bad else "bar"}" {place}><title>{escape(bar.text)}</title></rect>'


def _point(run: EndedRun, value: str) -> ChartPoint:
    return ChartPoint(run.deployment_id, run.ended, run.status, getattr(run, value))


def _text(point: ChartPoint, unit: str) -> str:
    counted = f"{_number(point.value)} {unit}" if point.value is not None else f"{unit} not counted"
    status = "" if point.status == "succeeded" else f", {point.status}"
    return f"{point.ended:%Y-%m-%d %H:%M} UTC: {counted}{status}"


def _describe(points: Sequence[ChartPoint], unit: str) -> str:
    """Return a sentence such as `50 runs, 2 of them not succeeded: between 980 and 984 rows, the last 984`."""
    if not points:
        return "No runs yet."
    bad = sum(point.status != "succeeded" for point in points)
    counted = [point.value for point in points if point.value is not None]
    runs = f"{len(points)} run{'s' if len(points) > 1 else ''}" + (f", {bad} of them not succeeded" if bad else "")
    if not counted:
        return f"{runs}: {unit} were not counted."
    least, most = _number(min(counted)), _number(max(counted))
    if least == most:
        return f"{runs}: {most} {unit}{' each' if len(counted) > 1 else ''}."
    return f"{runs}: between {least} and {most} {unit}, the last {_number(counted[-1])}."


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.1f}"
