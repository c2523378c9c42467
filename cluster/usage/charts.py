"""Charts of use as SVG, drawn on the server: a bar for each day, with a title, and a table that says the same. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cluster.usage.shapes import RunRecord

WIDTH, HEIGHT, _BOTTOM = 640, 160, 20  # of the drawing, and of the line of days below it
MAX_DAYS = 60  # bars; narrower ones are not seen any more


@dataclass(frozen=True)
class Bar:
    """A day's bar: where it is in the drawing, and what it says."""

    day: date
    value: float
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Chart:
    """A chart, and the table of the same."""

    title: str
    unit: str
    bars: tuple[Bar, ...]

    @property
    def total(self) -> float:
        """Return the sum of the days."""
        return sum(bar.value for bar in self.bars)


def make_charts(runs: Sequence[RunRecord], since: datetime, now: datetime) -> tuple[Chart, ...]:
    """Return the charts of a report; a run counts on the day when it ended, one that goes on today."""
    first = max(since.date(), now.date() - timedelta(days=MAX_DAYS - 1))
    days = [first + timedelta(days=number) for number in range((now.date() - first).days + 1)]

    def by_day(values: Iterable[tuple[RunRecord, float]]) -> list[float]:
        sums = dict.fromkeys(days, 0.0)
        for run, value in values:
            day = (run.ended or now).date()
            if day in sums:
                sums[day] += value
        return [*sums.values()]

    hours = by_day((run, run.worker_seconds / 3600) for run in runs)
    counts = by_day((run, 1) for run in runs)
    rows = by_day((run, run.rows) for run in runs)
    return (
        _draw("Worker-hours", "hours", days, hours),
        _draw("Runs", "runs", days, counts),
        _draw("Rows", "rows", days, rows),
    )


def _draw(title: str, unit: str, days: Sequence[date], values: Sequence[float]) -> Chart:
    most = max(values, default=0.0) or 1.0
    step = WIDTH / max(1, len(days))
    bars = []
    for number, (day, value) in enumerate(zip(days, values, strict=True)):
        height = round((HEIGHT - _BOTTOM) * value / most, 1)
        x = round(number * step + step * 0.1, 1)
        bars.append(Bar(day, value, x, round(HEIGHT - _BOTTOM - height, 1), round(step * 0.8, 1), height))
    return Chart(title, unit, tuple(bars))
