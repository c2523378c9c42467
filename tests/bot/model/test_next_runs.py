"""When pipelines run next: by the clock of their time zone, told in UTC."""

from datetime import UTC, datetime

from bot.model.next_runs import PipelineSchedule, next_runs


def known(pipeline: str, schedule: str, zone: str = "UTC") -> PipelineSchedule:
    return PipelineSchedule(pipeline=pipeline, schedule=schedule, time_zone=zone)


def test_the_first_to_come_is_first_and_zones_have_their_own_time() -> None:
    schedules = [
        known("./a", "0 6 * * *"),
        known("./b", "0 6 * * *", "Europe/Vienna"),
        known("./c", "*/5 * * * *"),
        known("./wrong", "no crontab line"),
        known("./nowhere", "0 6 * * *", "Europe/Nowhere"),
        known("./never", "0 6 30 2 *"),
    ]
    for month, hour in ((1, 5), (7, 4)):  # Vienna is an hour ahead in winter, two in summer
        found = next_runs(schedules, datetime(2026, month, 1, 2, 1, tzinfo=UTC))
        assert [(run.pipeline, run.time.isoformat()) for run in found] == [
            ("./c", f"2026-0{month}-01T02:05:00+00:00"),
            ("./b", f"2026-0{month}-01T0{hour}:00:00+00:00"),
            ("./a", f"2026-0{month}-01T06:00:00+00:00"),
        ]
