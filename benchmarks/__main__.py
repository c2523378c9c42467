"""`python -m benchmarks`: runs all measures, or some of them, and writes what they found to docs/benchmarks.md."""

import argparse
import sys
from pathlib import Path

from benchmarks import (
    auth,
    bots,
    builds,
    chaos,
    cli,
    event_streams,
    git_reads,
    hostile,
    images,
    init,
    memory,
    newcomer,
    next_database,
    ops_repo,
    pages,
    profile,
    public_specs,
    publishing,
    push,
    push_to_receipt,
    receiver,
    recheck,
    replay,
    rollback,
    runner,
    runs,
    runs_pods,
    setup,
    sync_cluster,
    usage,
    usage_chaos,
    worker,
)
from benchmarks.bench import open_bench
from benchmarks.report import ROOT, Result, load, merge, page

BENCHMARKS = {
    "cli": cli.cli,
    "setup": setup.setup,
    "worker": worker.worker,
    "log-lines": worker.log_lines,
    **{f"runner-{name}": runner.benchmark(name) for name in runner.JOBS},
    "runner-public-specs": public_specs.public_specs,
    "profile": profile.profile,
    "receiver": receiver.receiver,
    "pages": pages.pages,
    "auth": auth.auth,
    "push": push.push,
    "push-to-receipt": push_to_receipt.push_to_receipt,
    "rollback": rollback.rollback,
    "next-database": next_database.next_database,
    "ops-repo": ops_repo.ops_repo,
    "recheck": recheck.recheck,
    "git-reads": git_reads.git_reads,
    "hostile": hostile.hostile,
    "replay": replay.replay,
    "chaos": chaos.chaos,
    "chaos-bots": chaos.chaos_bots,
    "bots": bots.bots,
    "memory-10000": memory.memory,
    "builds": builds.builds,
    "publishing": publishing.publishing,
    "images": images.images,
    "init": init.init,
    "newcomer": newcomer.newcomer,
    "runs-assigned": runs.runs_assigned,
    "runs-at-once": runs.runs_at_once,
    "runs-assignments": runs.runs_assignments,
    "runs-kills": runs.runs_kills,
    "runs-memory": runs.runs_memory,
    "runs-pods": runs_pods.runs_pods,
    "usage-limits": usage.usage_limits,
    "usage-chaos": usage_chaos.usage_chaos,
    "event-streams": event_streams.event_streams,
    "pass-1000": sync_cluster.pass_1000,
    "releases-100": sync_cluster.releases_100,
    "push-to-pod": sync_cluster.push_to_pod,
}

GROUPS = ("runner", "runs")


def main() -> None:
    """Measure and write docs/benchmarks.md; return 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        choices=[*BENCHMARKS, *GROUPS],
        action="append",
        metavar="NAME",
        help=f"{', '.join(BENCHMARKS)}; {', '.join(GROUPS)} for all that begin so",
    )
    parser.add_argument(
        "--quick", action="store_true", help="small data, few runs, nothing written: only to see that it works"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FOLDER",
        help="another checkout with its .venv, to compare with (recheck, bots, setup)",
    )
    arguments = parser.parse_args()
    if sys.platform != "linux":
        parser.error("the benchmarks read /proc, so they need Linux")
    chosen = arguments.only or [*BENCHMARKS]
    names = [name for name in BENCHMARKS if name in chosen or name.partition("-")[0] in {*GROUPS} & {*chosen}]
    results: dict[str, Result] = {}
    with open_bench(arguments.quick, arguments.against) as bench:
        for name in names:
            print(f"== {name}", flush=True)
            before = load()
            results[name] = BENCHMARKS[name](bench)
            results[name].load = [before, load()]
            for row in results[name].rows:
                print(f"  {row.what}: {row.measured} ({row.bar})", flush=True)
            if not arguments.quick:
                _write({name: results[name]})
    if arguments.quick:
        print("\n" + page(results, quick=True))
    sys.exit(any(row.met is False for result in results.values() for row in result.rows))


def _write(results: dict[str, Result]) -> None:
    """Write what one measure found at once: the next one may fail."""
    kept = merge(ROOT / "docs" / "benchmarks.json", results, list(BENCHMARKS))
    (ROOT / "docs" / "benchmarks.md").write_text(page(kept, quick=False), encoding="utf-8")


if __name__ == "__main__":
    main()
