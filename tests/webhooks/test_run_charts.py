"""Charts of runs: what is drawn, and what is said of it."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from bot.store.history import RunPoint
from bot.store.run_tables import EndedRun
from webhooks.limits import CHART_RUNS
from webhooks.run_charts import HEIGHT, WIDTH, ChartPoint, draw, resource_chart, run_charts

START = datetime(2026, 1, 1, tzinfo=UTC)
POINTS = st.lists(
    st.builds(
        ChartPoint,
        deployment=st.integers(1, 9),
        ended=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
        status=st.sampled_from(["succeeded", "failed", "stopped"]),
        value=st.none() | st.floats(0, 1e12) | st.integers(0, 2**62).map(float),
    ),
    max_size=60,
)


def run(number: int, rows: int | None, status: str = "succeeded") -> EndedRun:
    ended = START + timedelta(days=number)
    return EndedRun(id=number, deployment_id=number, ended=ended, status=status, rows=rows, seconds=number / 2)


def test_rows_and_seconds_are_drawn_the_oldest_first_and_failures_are_marked() -> None:
    rows, seconds = run_charts([run(3, None, "failed"), run(2, 50), run(1, 100)])
    assert [bar.point.deployment for bar in rows.bars] == [1, 2, 3]
    assert [bar.height for bar in rows.bars][:2] == [HEIGHT, HEIGHT / 2]
    assert [bar.is_bad for bar in rows.bars] == [False, False, True]
    assert rows.bars[2].height > 0  # nothing was counted, but it is seen
    assert rows.description == "3 runs, 1 of them not succeeded: between 50 and 100 rows, the last 50."
    assert rows.bars[2].text == "2026-01-04 00:00 UTC: rows not counted, failed"
    assert seconds.description == "3 runs, 1 of them not succeeded: between 0.5 and 1.5 seconds, the last 1.5."


def test_only_the_last_runs_are_shown() -> None:
    rows, _ = run_charts([run(number, 1) for number in range(CHART_RUNS + 20, 0, -1)])
    assert [bar.point.deployment for bar in rows.bars] == list(range(21, CHART_RUNS + 21))


def test_a_resource_has_a_chart_of_its_rows() -> None:
    points = [
        RunPoint(number, number, True, START, "succeeded", number, None, None) for number in range(1, CHART_RUNS + 9)
    ]
    chart = resource_chart("zones", points)
    assert (chart.title, len(chart.bars), chart.bars[-1].point.deployment) == (
        "Rows of zones",
        CHART_RUNS,
        CHART_RUNS + 8,
    )


def test_without_runs_or_counts_it_says_so() -> None:
    assert run_charts([])[0].description == "No runs yet."
    assert run_charts([run(1, None)])[0].description == "1 run: rows were not counted."


@given(POINTS)
def test_all_bars_are_within_the_drawing_and_none_covers_another(points: list[ChartPoint]) -> None:
    chart = draw("Rows", "rows", points)
    assert [bar.point for bar in chart.bars] == points
    end = 0.0
    for bar in chart.bars:
        assert end <= bar.x
        end = bar.x + bar.width
        assert 0 <= bar.y <= HEIGHT
        assert abs(bar.y + bar.height - HEIGHT) < 0.11
        assert not bar.is_bad or bar.height > 0
        assert bar.height > 0 or not bar.point.value
    assert end <= WIDTH + 1
    drawn = ElementTree.fromstring(f"<svg>{chart.drawing}</svg>")
    assert [(rect.get("class") == "bad", rect[0].text) for rect in drawn] == [
        (bar.is_bad, bar.text) for bar in chart.bars
    ]
