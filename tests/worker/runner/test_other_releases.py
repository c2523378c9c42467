"""Releases that a quick path or the runner was not written for: they are known by their files, and dpp's code runs."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from cluster.local.workers.dpp_environment import DppEnvironment, ensure_dpp_environment
from tests.support.dpp_cache import cache_with
from tests.support.worker import Worker

Files = Callable[[Mapping[str, str]], Path]
SPEC = """
    typed:
      pipeline:
      - {run: load, parameters: {from: in.csv, name: t, encoding: utf-8, infer_strategy: strings}}
      - {run: set_types, parameters: {types: {x: {type: integer}, day: {type: date}}}}
      - {run: reasons}
      - {run: dump_to_path, parameters: {out-path: data/t}}
    wrong:
      pipeline:
      - {run: load, parameters: {from: in.csv, name: t, encoding: utf-8, infer_strategy: strings}}
      - {run: set_types, parameters: {types: {day: {type: integer}}}}
"""
REASONS = """
    import tableschema.schema
    from datapackage_pipelines.wrapper import process
    from dppctl_hooks import quick
    reason = quick.install("fields")
    process(modify_datapackage=lambda datapackage, *_: {**datapackage, "quick fields": reason})
"""


def test_a_workload_that_brings_another_tableschema_or_dpp_is_run_by_their_code(
    zipapp: Path, runtime: DppEnvironment, workload: Files, tmp_path: Path
) -> None:
    files = {"pipeline-spec.yaml": SPEC, "reasons.py": REASONS, "in.csv": "x,day\n1,2020-02-29\n-7,0001-01-01\n"}
    folder = workload({**files, "requirements.txt": "tableschema==1.20.11\n"})
    environment = ensure_dpp_environment(cache_with(runtime, tmp_path / "cache"), folder, print)
    [package] = environment.folder.glob("lib/*/site-packages/datapackage_pipelines")
    change(package / "lib/set_types.py")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    worker = Worker(zipapp, environment, scratch)
    expected = (folder / "in.csv").read_bytes().replace(b"\n", b"\r\n")

    outcome = worker.run(folder)
    descriptor = (folder / "data/t/datapackage.json").read_text()
    assert '"quick fields": "tableschema/schema.py is not that of tableschema 1.21.0"' in descriptor
    assert outcome.results["./typed"]["runner"] == "lanes: steps 2, 3 have processes of their own"
    assert (folder / "data/t/t.csv").read_bytes() == expected
    assert 'Field "day" can\'t cast value "2020-02-29" for type "integer"' in outcome.results["./wrong"]["error"]

    # As an image may have it: dpp wins over requirements, and no other release of it works with this Python.
    change(package / "manager/tasks.py")
    shutil.rmtree(folder / "data")
    outcome = worker.run(folder)
    reason = "dpp: datapackage_pipelines/manager/tasks.py is not that of datapackage-pipelines 2.2.11"
    assert {result["runner"] for result in outcome.results.values()} == {reason}
    assert (folder / "data/t/t.csv").read_bytes() == expected
    assert 'Field "day" can\'t cast value "2020-02-29" for type "integer"' in outcome.results["./wrong"]["error"]


def change(file: Path) -> None:
    """Change a file of an environment, and none that it shares with others."""
    text = file.read_text() + "# changed\n"
    file.unlink()
    file.write_text(text)
