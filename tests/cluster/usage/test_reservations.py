"""Places are taken in one transaction: exactly as many as there are, however many ask at once."""

import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from bot.usage_events import UsageEvent
from cluster.usage.limit_rules import BannedError, LimitReachedError
from cluster.usage.reservations import WantedRun
from cluster.usage.service import UsageService
from cluster.usage.tables import Reservation, RunUsage, UsageTable
from tests.support.usage import MakeService

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # others try both
NONE = "runs: null, databases: null, pendingRuns: null, runSeconds: null, workerHours: null, publishedBytes: null"


def ask(service: UsageService, number: int = 0, user: str = "token:ann", **options: object) -> str:
    """Return the reservation, or the limit that is reached."""
    try:
        return service.reservations.reserve(WantedRun(run=f"run-{user}-{number}", user=user, **options)).id
    except LimitReachedError as error:
        return error.name


def add_usage(service: UsageService, **values: object) -> None:
    now = datetime.now(UTC)
    with service.database.write() as session:
        row = {
            "uid": "u",
            "run": "r",
            "user": "token:ann",
            "worker_seconds": 0,
            "database_seconds": 0,
            "rows": 0,
            "bytes_in": 0,
            "bytes_published": 0,
            "created": now,
            "started": now,
            "ended": now,
            "outcome": "Succeeded",
            "noticed": "",
            "is_closed": True,
        }
        session.add(RunUsage(**{**row, **values}))


@pytest.mark.parametrize(
    ("limits", "options", "name", "granted", "at_once"),
    [
        (f"default: {{{NONE.replace('runs: null', 'runs: 10', 1)}}}", {}, "runs", 10, 200),
        (f"default: {{{NONE.replace('databases: null', 'databases: 3')}}}", {"database": True}, "databases", 3, 20),
        (f"default: {{{NONE.replace('pendingRuns: null', 'pendingRuns: 7')}}}", {}, "pendingRuns", 7, 20),
        (f"default: {{{NONE}}}\ntotal: {{pendingRuns: 12}}", {"user": ""}, "pendingRuns", 12, 20),
        (f"default: {{{NONE.replace('workerHours: null', 'workerHours: 5')}}}", {}, "workerHours", 5, 20),
    ],
)
def test_of_many_at_once_exactly_as_many_get_a_place_as_there_are(
    make_service: MakeService, limits: str, options: dict[str, object], name: str, granted: int, at_once: int
) -> None:
    service = make_service(limits)
    begin = threading.Barrier(at_once)

    def one(number: int) -> str:
        begin.wait()
        user = {"user": f"token:{number % 10}"} if options.get("user") == "" else {}
        return ask(service, number, **{**options, **user})

    with ThreadPoolExecutor(at_once) as threads:
        counts = Counter(len(each) == 32 or each for each in threads.map(one, range(at_once)))
    assert counts == {True: granted, name: at_once - granted}
    assert service.reservations.count_open() == granted


@ONE_DATABASE
def test_the_same_run_gets_its_place_again_and_a_place_given_back_is_free(make_service: MakeService) -> None:
    service = make_service("default: {runs: 1}")
    first = ask(service, 1)
    assert ask(service, 1) == first
    assert ask(service, 2) == "runs"
    assert service.reservations.release(first)
    assert not service.reservations.release(first)
    assert len(ask(service, 2)) == 32


@ONE_DATABASE
def test_a_place_whose_run_never_came_is_free_after_a_minute(make_service: MakeService) -> None:
    service = make_service("default: {runs: 1}")
    first = ask(service, 1)
    with service.database.write() as session:
        session.execute(update(Reservation).values(expires=datetime.now(UTC) - timedelta(seconds=1)))
    assert ask(service, 2) not in ("runs", first)


def test_hours_of_a_day_are_those_that_were_used_and_those_that_are_reserved(make_service: MakeService) -> None:
    service = make_service("default: {runs: null, workerHours: 2, runSeconds: null}")
    yesterday = datetime.now(UTC) - timedelta(hours=23)
    add_usage(service, uid="old", worker_seconds=9999, ended=yesterday - timedelta(hours=2))
    add_usage(service, uid="a", worker_seconds=3600, ended=yesterday)
    grant = service.reservations.reserve(WantedRun("run-1", "token:ann", timeout_seconds=7000))
    assert grant.timeout_seconds == 3600 + 60  # the operator's limit comes a bit after that of usage
    with pytest.raises(LimitReachedError) as refused:
        service.reservations.reserve(WantedRun("run-2", "token:ann", timeout_seconds=10))
    assert refused.value.is_spent
    assert refused.value.resets
    assert abs(refused.value.resets - (yesterday + timedelta(days=1))) < timedelta(seconds=1)
    assert "limit workerHours: you may have 2 worker-hours in 24 hours, and 2 are used; some of it" in str(
        refused.value
    )
    assert len(ask(service, 3, user="token:ben")) == 32


@ONE_DATABASE
def test_a_run_may_take_as_long_as_its_limit_says(make_service: MakeService) -> None:
    service = make_service("default: {runSeconds: 100, workerHours: null}")
    assert service.reservations.reserve(WantedRun("run-1", "token:ann", timeout_seconds=7000)).timeout_seconds == 100
    assert service.reservations.reserve(WantedRun("run-2", "token:ann", timeout_seconds=50)).timeout_seconds == 50


@ONE_DATABASE
def test_a_workload_may_be_as_large_and_as_much_published_as_the_limits_say(make_service: MakeService) -> None:
    service = make_service("default: {runs: null, uploadBytes: 100, publishedBytes: 1000}")
    assert ask(service, 1, workload_bytes=101) == "uploadBytes"
    assert len(ask(service, 1, workload_bytes=100)) == 32
    add_usage(service, bytes_published=400)
    publish = service.reservations.reserve(WantedRun("run-1", "token:ann")).publish
    assert publish
    said = r"^limit publishedBytes: 600 of 1,000 bytes in 24 hours are left; some of it is free again at 20\d\d-.* UTC$"
    assert re.match(said, publish.message)
    upload = UsageEvent(
        user="token:ann", action="publication", outcome="publication", details={"uid": "up", "bytes": 600}
    )
    service.events.record([upload, upload])
    service.events.record([upload])
    assert service.allowance("token:ann").publish == publish.model_copy(update={"bytes": 0})
    assert ask(service, 2) == "publishedBytes"
    assert len(ask(service, 2, publishes=False)) == 32, "who publishes nothing may run"


@ONE_DATABASE
def test_who_is_banned_gets_no_place_until_the_end_of_the_ban(make_service: MakeService) -> None:
    service = make_service(
        "bans:\n- {group: 'org:evil', reason: mining}\n- {user: 'token:eve', reason: x, until: 2020-01-01}"
    )
    with pytest.raises(BannedError, match=r"^group org:evil is banned: mining$"):
        service.reservations.reserve(WantedRun("run-1", "token:ann", groups=["org:evil"]))
    assert len(ask(service, 1, user="token:eve")) == 32
    assert service.allowance("token:ann", ["org:evil"]).banned == "group org:evil is banned: mining"


def test_minutes_of_terminals_are_counted_from_the_log(make_service: MakeService) -> None:
    service = make_service("default: {sshMinutes: 10}")
    event = UsageEvent(user="token:ann", action="ssh", details={"seconds": 500})
    service.events.record([event, UsageEvent(user="token:ann", action="POST /v1/runs", details={"seconds": 9})])
    service.events.record([event])  # the same once more
    assert service.allowance("token:ann").ssh_seconds == 100
    assert service.allowance("token:ben").ssh_seconds == 600


def test_the_database_refuses_changes_of_the_log(make_service: MakeService) -> None:
    service = make_service("default: {}")
    service.events.record([UsageEvent(user="token:ann", action="x")])
    with pytest.raises(DBAPIError, match="never changed"), service.database.write() as session:
        session.execute(text("UPDATE events SET action = 'y'"))


def test_the_migrations_make_what_the_models_say(make_service: MakeService) -> None:
    with make_service("default: {}").database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), UsageTable.metadata) == []


@ONE_DATABASE
def test_a_changed_file_of_limits_holds_at_once_and_a_broken_one_changes_nothing(make_service: MakeService) -> None:
    service = make_service("default: {runs: 1}")
    file = service.limits._file
    assert file
    assert (len(ask(service, 1)), ask(service, 2)) == (32, "runs")
    file.write_text("default: {runs: 2}  # more")
    service.limits.read_again()
    assert (len(ask(service, 2)), ask(service, 3)) == (32, "runs")
    file.write_text("default: {runs: many}")
    service.limits.read_again()
    assert ask(service, 3) == "runs"
