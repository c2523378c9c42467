"""How the pipelines of real public specs would run, by their plans: listing is enough, nothing is run.

DPPCTL_PUBLIC_SPECS names a folder with a copy of each repository (its own folder, or OWNER+NAME); what is not there is
cloned from GitHub. A repository that cannot be had is said to be away. The packages that its generators import are not
installed: modules stand for them from which any name can be imported, and text for the variables that they read.
"""

import os
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.report import Result, Row, table
from worker.plan import Pipeline, WorkloadError
from worker.runner.dpp import Dpp
from worker.runner.ready import ReadyDpp

FOLDER = "DPPCTL_PUBLIC_SPECS"
MOST_STAND_INS = 60
STAND_IN = """\
class Any(type):
    def __getattr__(cls, name): return StandIn()
    def __iter__(cls): return iter(())
    def __or__(cls, other): return cls

class StandIn(metaclass=Any):
    def __init__(self, *_, **__): pass
    def __getattr__(self, name): return StandIn()
    def __call__(self, *_, **__): return StandIn()
    def __iter__(self): return iter(())
    def __getitem__(self, key): return StandIn()

def __getattr__(name):
    if name.startswith("__"): raise AttributeError(name)
    return StandIn
"""
# As the repository's own image has it: where dpp is run, and a variable; {} is the repository's folder.
BUDGETKEY = "OpenBudget/budgetkey-data-pipelines"
WORKLOADS = {BUDGETKEY: "datapackage_pipelines_budgetkey/pipelines"}
VARIABLES = {BUDGETKEY: {"DPP_PROCESSOR_PATH": "{}/datapackage_pipelines_budgetkey/processors"}}
REPOSITORIES = (BUDGETKEY, "hasadna/knesset-data-pipelines")
WAYS = ("in lanes", "in lanes and own processes", "in own processes", "by dpp itself", "not at all: errors in the spec")
_BEGINNINGS = dict(zip(("lanes", "lanes:", "processes:", "dpp:"), WAYS, strict=False))


def public_specs(bench: Bench) -> Result:
    """Return the share of each way, by repository, and why steps have processes of their own."""
    rows, lines = [], []
    for repository in REPOSITORIES:
        what = f"pipelines of {repository}: how they run"
        folder = _folder_of(repository, bench)
        if folder is None:
            rows.append(Row(what, "", f"not measured: it is not below {FOLDER}, and cannot be cloned", None))
            continue
        ways, reasons = _ways_in(bench, repository, folder)
        total = sum(ways.values())
        shares = [f"{ways[way]} {way} ({ways[way] / total:.0%})" for way in WAYS if ways[way]]
        rows.append(Row(what, "", f"{total}: {', '.join(shares)}", None))
        lines += [(repository, reason, number) for reason, number in reasons.most_common(8)]
    return Result(
        "Real public specs", rows, table(("repository", "why dpp runs them, or nothing does", "how many"), lines)
    )


def _folder_of(repository: str, bench: Bench) -> Path | None:
    given = os.environ.get(FOLDER)
    for name in (repository, repository.replace("/", "+"), repository.partition("/")[2]):
        if given and (Path(given) / name).is_dir():
            return Path(given) / name
    if bench.quick:
        return None
    folder = bench.new_folder()
    clone = ["git", "clone", "--quiet", "--depth", "1", f"https://github.com/{repository}", str(folder)]
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    return folder if subprocess.run(clone, env=environment, timeout=300).returncode == 0 else None


def _ways_in(bench: Bench, repository: str, folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Return how many pipelines run in which way, and how many of those not in lanes for which reason."""
    stand_ins = bench.new_folder()
    variables = {name: value.format(folder) for name, value in VARIABLES.get(repository, {}).items()}
    variables["PYTHONPATH"] = f"{folder}{os.pathsep}{stand_ins}"
    workload = folder / WORKLOADS.get(repository, ".")
    pipelines: list[Pipeline] = []
    for _ in range(MOST_STAND_INS):
        try:
            pipelines = _pipelines(bench, workload, variables)
            break
        except WorkloadError as error:
            missing = re.search(r"No module named '([\w.]+)'|KeyError: '([A-Z_]+)'", str(error))
            if missing and missing[2]:
                variables[missing[2]] = "stands in"
                continue
            if not missing:
                return Counter({WAYS[-1]: 1}), Counter([str(error)])
            package = stand_ins.joinpath(*missing[1].split("."))
            package.mkdir(parents=True)
            (package / "__init__.py").write_text(STAND_IN)
    ways: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for pipeline in pipelines:
        if pipeline["errors"]:
            ways[WAYS[-1]] += 1
            reasons[str(pipeline["errors"][0]["message"]).replace(str(folder), repository)[:80]] += 1
        else:
            runner = str(pipeline["runner"])
            ways[_BEGINNINGS[runner.split(" ")[0]]] += 1
            reasons.update([runner.removeprefix("dpp: ")] if runner.startswith("dpp:") else [])
    return ways, reasons


def _pipelines(bench: Bench, workload: Path, variables: dict[str, str]) -> list[Pipeline]:
    path = os.pathsep.join([str(bench.runtime.bin), os.environ.get("PATH", os.defpath)])
    with tempfile.TemporaryDirectory(dir=bench.folder) as scratch:
        given = {"PATH": path, "HOME": scratch, **variables}
        ready = ReadyDpp(given, is_warm=False)
        try:
            return Dpp(workload, ready, given).inspect(Path(scratch))[0]
        finally:
            ready.close()
