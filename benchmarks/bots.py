"""Pushes to many ops repos behind a git server with latency, before one bot and before three.

Each bot is `dppctl bot` in a process of its own, on one PostgreSQL; the git server is another process, so that no two
of them share an interpreter. What the bots' and the server's processes take is counted, as they share the machine.
Three bots that want more of the processors than there is cannot be faster than these; so one and three are measured
with a limit for each bot too, as pods have one, which leaves the machine enough for all of them.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from benchmarks.bench import Bench
from benchmarks.cpu_limit import can_limit, limited
from benchmarks.many_apps import LATENCY, App, apps_of, bot, configure, git_server, make, ops_commits, push, wait_for
from benchmarks.measured import cpu_of
from benchmarks.report import ROOT, Result, Row, table
from tests.support.postgres import new_database

SECONDS, PUSHING_SECONDS, TIMES = 30.0, 10.0, 2.0
BOTS = 3
CORES = 0.4  # for each bot, where they have a limit
REST_SECONDS = 3.0
# As the receiver records a delivery; also in the tables of an older checkout.
DELIVERY = text(
    "INSERT INTO deliveries (id, event, repository, ref, before, after, state, received) "
    "VALUES (:id, 'push', :repository, 'refs/heads/master', :before, :after, 'received', :received)"
)


@dataclass(frozen=True)
class Burst:
    """How long all ops commits took from the first push on, and the CPU seconds of the bots and of the git server."""

    pushes: int
    seconds: float
    bots: float
    server: float


class World:
    """Repositories that are deployed already, a git server and bots before them."""

    def __init__(self, bench: Bench, opened: ExitStack, checkout: Path) -> None:
        """Start one bot, and wait until all apps are deployed."""
        self._opened, self._checkout = opened, checkout
        self.apps = apps_of(3, 2) if bench.quick else apps_of(20, 50)
        self._folder = bench.new_folder()
        make(self._folder, self.apps)
        self._database = opened.enter_context(new_database(self._folder))
        self._engine: Engine = create_engine(self._database)
        opened.callback(self._engine.dispose)
        self._url, self._slow, self._server = opened.enter_context(git_server(self._folder))
        self._bots: list[int] = []
        self._number = 0
        self.add_bot()
        wait_for(lambda: self._commits() == len(self.apps), "all apps are deployed", 900)

    def add_bot(self) -> None:
        """Start one more."""
        settings = {"GITHUB_CALLS_AN_HOUR": "0", "RESYNC_SECONDS": "3600"}
        config = configure(self._folder, f"bot{len(self._bots)}", self._database, self._url, **settings)
        self._bots.append(self._opened.enter_context(bot(config, self._checkout)))

    def share(self, number: int) -> None:
        """Start bots until there are so many, and wait until each has its part, and a copy of all of that."""
        self._slow.unlink(missing_ok=True)
        with self._engine.connect() as connection:
            (first,) = connection.scalars(text("SELECT DISTINCT bot FROM leases"))
        while len(self._bots) < number:
            self.add_bot()
        ops, of_each = len({app.ops for app in self.apps}), len(self.apps) // len({app.ops for app in self.apps})

        def is_shared() -> bool:
            with self._engine.connect() as connection:
                query = text("SELECT bot, count(*) FROM leases WHERE name <> '' GROUP BY bot")
                parts = dict(iter(connection.execute(query).tuples()))
            copies = sum(1 for _ in self._folder.glob("bot[1-9]/state/apps/*/dppctl-seen"))
            is_even = len(parts) == number and sum(parts.values()) == ops and min(parts.values()) >= ops // number
            return is_even and copies >= of_each * (ops - parts[first])

        wait_for(is_shared, f"{number} bots share the ops repos", 300)
        time.sleep(REST_SECONDS)

    def burst_with_limit(self, pushes: int) -> Burst | None:
        """Push as `burst` does, all at once, with CORES for each bot; None: this machine lets us set no limit."""
        if not can_limit():
            return None
        with limited(self._bots, CORES):
            return self.burst(pushes, 0.0)

    def burst(self, pushes: int, seconds: float) -> Burst:
        """Push, evenly within so many seconds, each with its delivery; 0: all are there when the first is told of."""
        self._slow.touch()
        chosen = self.apps[:pushes]  # of all ops repos
        before = self._commits()
        cpu = self._cpu()
        rows = [] if seconds else [self._push(app) for app in chosen]
        started = time.monotonic()
        if rows:
            self._deliver(rows)
        else:
            for index, app in enumerate(chosen):
                time.sleep(max(0.0, started + index * seconds / pushes - time.monotonic()))
                self._deliver([self._push(app)])
        wait_for(lambda: self._commits() >= before + pushes, "all pushes are deployed", 900)
        took = time.monotonic() - started
        time.sleep(REST_SECONDS)
        if self._commits() != before + pushes:
            raise RuntimeError(f"{self._commits() - before} ops commits for {pushes} pushes")
        bots, server = (now - then for now, then in zip(self._cpu(), cpu, strict=True))
        return Burst(pushes, took, bots, server)

    def _push(self, app: App) -> dict[str, object]:
        self._number += 1
        commit = push(self._folder, app.name, str(self._number))
        return {"id": f"push-{self._number}", "repository": app.name, "before": "0" * 40, "after": commit}

    def _deliver(self, rows: list[dict[str, object]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(DELIVERY, [row | {"received": datetime.now(UTC)} for row in rows])

    def _commits(self) -> int:
        return ops_commits(self._folder, self.apps)

    def _cpu(self) -> tuple[float, float]:
        """Return the CPU seconds of all bots and of the git server so far, with those of the gits that they ran."""
        return sum(map(cpu_of, self._bots)), cpu_of(self._server)


def bots(bench: Bench) -> Result:
    """Measure one bot and three, and one of another checkout (`--against`)."""
    pushes = 6 if bench.quick else 200
    with ExitStack() as opened:
        world = World(bench, opened, ROOT)
        spread_out, one = world.burst(pushes, PUSHING_SECONDS), world.burst(pushes, 0.0)
        one_limited = world.burst_with_limit(pushes)
        world.share(BOTS)
        three, three_limited = world.burst(pushes, 0.0), world.burst_with_limit(pushes)
    ops = len({app.ops for app in world.apps})
    what = (
        f"{pushes} pushes to {ops} ops repos x {len(world.apps) // ops} apps, git server with {LATENCY * 1000:.0f} ms"
    )
    within, times = f"within {SECONDS:.0f} s", one.seconds / three.seconds
    rows = [
        Row(
            f"{what}, made within {PUSHING_SECONDS:.0f} s: all ops commits, one bot",
            within,
            f"{spread_out.seconds:.1f} s",
            spread_out.seconds <= SECONDS,
        ),
        Row("… all pushed before the first delivery, one bot", within, f"{one.seconds:.1f} s", one.seconds <= SECONDS),
        Row(
            f"… the same, {BOTS} bots",
            f"at least {TIMES:.0f} x as fast",
            f"{three.seconds:.1f} s, {times:.1f} x",
            times >= TIMES,
        ),
    ]
    what = f"… each bot with {CORES:g} of a core, as pods with that limit: one, {BOTS} bots"
    if one_limited and three_limited:
        times = one_limited.seconds / three_limited.seconds
        measured = f"{one_limited.seconds:.1f} s, {three_limited.seconds:.1f} s, {times:.1f} x"
        rows.append(Row(what, f"at least {TIMES:.0f} x as fast", measured, times >= TIMES))
    else:
        rows.append(Row(what, "", "not measured: it needs root, and cgroups of version 1", None))
    if bench.against:
        with ExitStack() as opened:
            before = World(bench, opened, bench.against.resolve()).burst(pushes, PUSHING_SECONDS)
        rows.append(Row("… the first of these, with the other checkout", "", f"{before.seconds:.1f} s", None))
    bursts = [
        ("one, within 10 s", spread_out),
        ("one, at once", one),
        (f"{BOTS}, at once", three),
        ("one with a limit, at once", one_limited),
        (f"{BOTS} with a limit, at once", three_limited),
    ]
    lines = [
        (name, f"{burst.seconds:.1f}", f"{burst.bots:.1f}", f"{burst.server:.1f}") for name, burst in bursts if burst
    ]
    details = (
        "The time is from the first push or delivery to the last ops commit; each push is one ops commit, neither more "
        "nor less. All apps were deployed before. Bots, git server and PostgreSQL share the machine's processors; CPU "
        "seconds are with all gits.\n\n"
        + table(("bots", "seconds", "CPU seconds of the bots", "CPU seconds of the git server"), lines)
    )
    return Result("Pushes to many repositories", rows, details)
