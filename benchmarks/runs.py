"""Runs on a cluster: how soon they get a worker, how many at once, what is left when the operator was killed often."""

import json
import random
import secrets
import statistics
import threading
import time
import urllib.request
from typing import Any

from benchmarks.bench import Bench, numbered
from benchmarks.report import Result, Row
from benchmarks.runs_world import kubeconfig, not_measured, operator_of, percentile, wait_for_workers, world_of
from tests.support.stories.operator_world import TOKEN, OperatorWorld
from tests.support.stories.runs_processes import ServerProcess, operator_process

MEGABYTE = 2**20
ENDED = ("Succeeded", "Failed", "Stopped", "Lost")


def runs_assigned(bench: Bench) -> Result:
    """Measure from the request for a run to its worker, and to the hand-over, when a worker waits."""
    title = "From the creation of a run to its worker, when one waits"
    if not kubeconfig():
        return not_measured(title)
    assigned, handed = list[float](), list[float]()
    with world_of(bench, waiting=2, most=4) as world, operator_of(world) as operator:
        for number in numbered(3 if bench.quick else 30, "run"):
            wait_for_workers(world, 2)
            world.workload = world.pack({"rows.csv": secrets.token_hex(MEGABYTE)})  # 1 MB, packed
            asked = time.time()
            uid = world.run(_ask(world, number))["metadata"]["uid"]
            assigned.append(_assigned(operator, uid) - asked)
            handed.append(world.handed[uid][0] - asked)
    rows = [
        Row(f"{title}: median", "200 ms", _ms(statistics.median(assigned)), statistics.median(assigned) <= 0.2),
        Row("… 95 % within", "500 ms", _ms(percentile(assigned, 95)), percentile(assigned, 95) <= 0.5),
        Row("… until a workload of 1 MB was handed over: median", "400 ms", _ms(statistics.median(handed)),
            statistics.median(handed) <= 0.4),
    ]  # fmt: skip
    details = f"{len(assigned)} runs, one after another; as somebody hears of it who follows the run."
    return Result(title, rows, details)


def runs_at_once(bench: Bench) -> Result:
    """Ask for many runs at once, for fewer workers."""
    runs, workers = (20, 4) if bench.quick else (200, 10)
    title = f"{runs} runs asked for at once, {workers} workers"
    if not kubeconfig():
        return not_measured(title)
    with world_of(bench, waiting=workers, most=workers) as world, operator_of(world) as operator:
        wait_for_workers(world, workers)
        began = time.time()
        names = [_ask(world, number) for number in range(runs)]
        created = time.time() - began
        found = _until_ended(world, names, 300)
        seconds = time.time() - began
        refused = operator.metric("dppctl_claims_refused_total")
    wrong = _wrong(world, found)
    order = [found_name for uid in world.handed for found_name in [found[uid]["metadata"]["name"]]]
    moved = max(abs(place - names.index(name)) for place, name in enumerate(order))
    rows = [
        Row(f"{title}: all have ended", "35 s", f"{seconds:.1f} s", seconds <= 35 or bench.quick),
        Row("… lost, run twice, with a worker of another, or failed", "0", str(len(wrong)), not wrong),
        Row("… refused claims", "at most 5", f"{refused:.0f}", refused <= 5),
        Row("… places between the order of the requests and that of the hand-overs", f"at most {workers}", str(moved),
            moved <= workers),
    ]  # fmt: skip
    details = (
        f"Each run takes a second, and each gets a pod of its own. Created within {created:.1f} s. "
        f"{runs / seconds:.1f} runs a second, {''.join(wrong) or 'none went wrong'}."
    )
    return Result(title, rows, details)


def runs_assignments(bench: Bench) -> Result:
    """Ask for as many runs as workers wait, at once."""
    runs = 10 if bench.quick else 100
    title = f"{runs} runs asked for at once, as many workers wait"
    if not kubeconfig():
        return not_measured(title)
    with world_of(bench, waiting=runs, most=2 * runs) as world, operator_of(world):
        wait_for_workers(world, runs)
        began = time.time()
        names = [_ask(world, number) for number in range(runs)]
        found = _until_ended(world, names, 300)
        last = max(times[0] for times in world.handed.values()) - began
    wrong = _wrong(world, found)
    rows = [
        Row(f"{title}: assignments a second", "at least 10", f"{runs / last:.1f}", runs / last >= 10 or bench.quick),
        Row("… lost, run twice, with a worker of another, or failed", "0", str(len(wrong)), not wrong),
    ]
    return Result(title, rows, "Up to the last hand-over; each assignment also starts another pod.")


def runs_kills(bench: Bench) -> Result:
    """Kill the operator again and again while many runs are made."""
    runs, kills, workers = (20, 3, 4) if bench.quick else (200, 50, 10)
    title = f"{runs} runs while the operator is killed {kills} times (`kill -9`)"
    if not kubeconfig():
        return not_measured(title)
    seeded = random.Random(17)
    with world_of(bench, waiting=workers, most=workers) as world:
        names, ended = list[str](), threading.Event()

        def ask() -> None:
            for number in range(runs):
                names.append(_ask(world, number))
                ended.wait(seeded.uniform(0.0, 0.6))

        asking = threading.Thread(target=ask)
        asking.start()
        began = time.time()
        for _ in numbered(kills, "kill"):
            operator = operator_process(world, kubeconfig())
            time.sleep(seeded.uniform(0.0, 2.0))
            operator.kill()
        asking.join()
        with operator_of(world):
            found = _until_ended(world, names, 300)
            seconds = time.time() - began
            deadline = time.time() + 60
            while time.time() < deadline and len(world.pods()) > workers:
                time.sleep(0.2)
            left = len(world.pods()) - workers
        wrong, gaps = _wrong(world, found), _gaps(world, found)
    rows = [
        Row(f"{title}: lost, run twice, with a worker of another, or failed", "0", str(len(wrong)), not wrong),
        Row("… runs with an event missing or twice", "0", str(len(gaps)), not gaps),
        Row("… pods left over", "0", str(left), left == 0),
    ]
    details = f"Each run takes a second. All had ended after {seconds:.0f} s. {', '.join([*wrong, *gaps])}"
    return Result(title, rows, details.strip())


def runs_memory(bench: Bench) -> Result:
    """Measure the operator's memory with many runs, which wait or ended."""
    runs = 50 if bench.quick else 1000
    title = f"Memory of the operator with {runs:,} runs"
    if not kubeconfig():
        return not_measured(title)
    with world_of(bench, waiting=10, most=10) as world, operator_of(world) as operator:
        for number in range(runs):
            _ask(world, number, "rows" if number % 2 else "second")
        deadline = time.time() + (20 if bench.quick else 90)
        most = 0.0
        while time.time() < deadline:
            most = max(most, operator.memory)
            time.sleep(1)
        ended = sum((run.get("status") or {}).get("phase") in ENDED for run in world.api.list(world.path()))
    row = Row(f"{title}: most", "200 MB", f"{most:.0f} MB", most <= 200)
    return Result(title, [row], f"The process's own memory (VmRSS); {ended} of them had ended by then.")


def _ask(world: OperatorWorld, number: int, what: str = "second") -> str:
    return world.ask(what, name=f"run-{number:04}")


def _assigned(operator: ServerProcess, uid: str) -> float:
    """Follow a run to its end, and return when it had a worker."""
    request = urllib.request.Request(f"{operator.url}/runs/{uid}/events", headers={"Authorization": f"Bearer {TOKEN}"})
    assigned = 0.0
    with urllib.request.urlopen(request, timeout=60) as lines:
        for line in lines:
            if not assigned and json.loads(line).get("phase") in ("Assigned", "Running"):
                assigned = time.time()
    return assigned


def _until_ended(world: OperatorWorld, names: list[str], seconds: float) -> dict[str, Any]:
    """Return all runs by their uids, when they have ended or the time is over."""
    deadline = time.time() + seconds
    while True:
        found = world.api.list(world.path())
        ended = [run for run in found if (run.get("status") or {}).get("phase") in ENDED]
        if len(ended) == len(names) or time.time() > deadline:
            return {run["metadata"]["uid"]: run for run in found}
        time.sleep(0.2)


def _wrong(world: OperatorWorld, found: dict[str, Any]) -> list[str]:
    """Return what is wrong with runs, one entry for each of them."""
    wrong, workers = [], dict[str, str]()
    for uid, run in found.items():
        status, name = run.get("status") or {}, run["metadata"]["name"]
        worker = (status.get("worker") or {}).get("uid", "")
        times = len(world.handed.get(uid, []))
        if status.get("phase") != "Succeeded" or times != 1 or worker in workers:
            wrong.append(f"{name}: {status.get('phase')}, handed over {times} times, {status.get('message')}")
        workers[worker] = name
    return wrong


def _gaps(world: OperatorWorld, found: dict[str, Any]) -> list[str]:
    """Return the runs whose kept events are not all that the worker told."""
    gaps = []
    for run in found.values():
        name, uid = run["metadata"]["name"], run["metadata"]["uid"]
        events = world.events_of(name) if (world.events / f"{uid}.jsonl").exists() else []
        numbers = [event["number"] for event in events]
        if numbers != list(range(1, len(numbers) + 1)) or not events or events[-1]["event"] != "closed":
            gaps.append(f"{name}: events {numbers[:3]}…{numbers[-3:]}")
    return gaps


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
