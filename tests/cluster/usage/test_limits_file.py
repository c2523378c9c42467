"""The file of limits and bans: what it says of whom, and what is wrong in it, with its line."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.errors import DppctlError
from cluster.usage.limit_rules import Ban, LimitEntry, limits_of
from cluster.usage.limits_file import LimitsFile, read_limits_file

FILE = """\
default: {runs: 3}
groups:
  org:hasadna: {runs: 10, workerHours: 100}
  org:budget: {runs: 5, workerHours: null}
users:
  github:583231: {runs: 1}
total:
  pendingRuns: 50
bans:
- {user: "token:eve", reason: mining, until: 2026-12-01}
- {address: 203.0.113.0/24, reason: scans}
"""


def limits(text: str, tmp_path: Path, user: str, *groups: str) -> dict[str, float | None]:
    file = tmp_path / "limits.yaml"
    file.write_text(text)
    return limits_of([LimitEntry(*each) for each in read_limits_file(file).values()], user, groups)


def test_ones_own_limit_wins_then_the_most_generous_of_the_groups_then_the_default(tmp_path: Path) -> None:
    assert limits(FILE, tmp_path, "token:ann")["runs"] == 3
    assert limits(FILE, tmp_path, "token:ann")["databases"] == 1  # to start with
    of_groups = limits(FILE, tmp_path, "token:ann", "org:hasadna", "org:budget")
    assert (of_groups["runs"], of_groups["workerHours"]) == (10, None)
    own = limits(FILE, tmp_path, "github:583231", "org:hasadna")
    assert (own["runs"], own["workerHours"]) == (1, 100)


def test_without_a_file_the_limits_to_start_with_hold() -> None:
    assert read_limits_file(None) == LimitsFile()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default: {runs: many}", ":1: default.runs: input should be a valid integer"),
        ("default:\n  runs: -1", ":2: default.runs: input should be greater than or equal to 0"),
        ("users:\n  token:ann:\n    runz: 1", ":3: unknown key runz; did you mean runs?"),
        ("users:\n  ann: {runs: 1}", ":2: users"),
        ("limits: {}", ":1: unknown key limits; known here: bans, default, groups, total, users"),
        ("bans:\n- {reason: x}", ":2: bans: a ban has one of user, group and address"),
        ("bans:\n- {user: 'token:a', group: 'org:b', reason: x}", ":2: bans: a ban has one of"),
        ("bans:\n- {address: nowhere, reason: x}", ":2: bans: nowhere is no address and no network"),
        ("bans:\n- {user: 'token:a'}", ":2: reason is missing"),
        ("- 1", ":1: expected keys and values"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "limits.yaml"
    file.write_text(text)
    with pytest.raises(DppctlError) as raised:
        read_limits_file(file)
    assert f"{file}{message}" in str(raised.value)
    assert "\n" not in str(raised.value)
    with pytest.raises(DppctlError, match="no such file"):
        read_limits_file(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("kind", "pattern", "is_hit"),
    [
        ("user", "token:ann", True),
        ("user", "token:an", False),
        ("group", "org:a", True),
        ("group", "token:ann", False),
        ("address", "192.0.2.7", True),
        ("address", "192.0.2.0/29", True),
        ("address", "192.0.3.0/24", False),
        ("address", "2001:db8::/32", False),
    ],
)
def test_a_ban_is_about_a_user_a_group_or_an_address(kind: str, pattern: str, is_hit: bool) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for address in ("192.0.2.7", "::ffff:192.0.2.7"):
        assert Ban(kind, pattern, "x").hits("token:ann", ["org:a"], address, now) is is_hit
    assert not Ban(kind, pattern, "x", until=now).hits("token:ann", ["org:a"], "192.0.2.7", now)
    assert not Ban("address", "192.0.2.7", "x").hits("", [], "unknown", now)


def test_a_ban_ends_when_its_day_begins_or_at_its_time(tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    file.write_text(
        "bans:\n- {user: 'a:b', reason: x, until: 2026-12-01}\n"
        "- {user: 'a:b', reason: x, until: 2026-12-01T12:00:00+02:00}\n- {user: 'a:b', reason: x}"
    )
    assert [ban.end for ban in read_limits_file(file).bans] == [
        datetime(2026, 12, 1, tzinfo=UTC),
        datetime(2026, 12, 1, 10, tzinfo=UTC),
        None,
    ]
