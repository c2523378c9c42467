"""What one pipeline wrote is loaded by another one, in real dpp, from each engine's addresses."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.publisher.process import package
from tests.support.publisher.world import ENGINES, publisher_world
from tests.support.worker import Worker
from tests.support.workloads import write_files
from worker.zipapp_builder import build

pytestmark = [pytest.mark.needs("dpp"), pytest.mark.slow]
_FIRST = """
    committees:
      pipeline:
      - {flow: rows}
      - {run: dump.to_path, parameters: {out-path: data/committees}}
"""
_ROWS = """
    from dataflows import Flow, update_resource

    def flow(*_):
        options = {"name": "res_1", "path": "res_1.csv", "dpp:streaming": True}
        return Flow([{"name": "data"}], update_resource(-1, **options))
"""
_LOAD = """
    {name}:
      pipeline:
      - {{run: load_resource, parameters: {{url: "{url}datapackage.json", resource: res_1}}}}
      - {{run: dump.to_path, parameters: {{out-path: "loaded/{name}"}}}}
"""


def test_a_second_pipeline_loads_what_a_first_one_published(tmp_path: Path, runtime: DppEnvironment) -> None:
    build(zipapp := tmp_path / "worker.pyz")
    (scratch := tmp_path / "scratch").mkdir()
    worker = Worker(zipapp, runtime, scratch)
    first = write_files(tmp_path / "first", {"pipeline-spec.yaml": _FIRST, "rows.py": _ROWS})
    ran = worker.run(first, [f"--publication={tmp_path}/staged", "all"])
    assert ran.code == 0, ran.events
    staged = tmp_path / "staged" / "files"
    files = {path.relative_to(staged).as_posix(): path.read_bytes() for path in staged.rglob("*") if path.is_file()}
    specs = []
    with ExitStack() as opened:
        for engine in ENGINES:
            world = opened.enter_context(publisher_world(engine, tmp_path / engine))
            world.start()
            for uid, prefix in (("u1", "worker-1/"), ("u2", "ann+data/production/")):
                ended = world.publish(files, uid=uid, prefix=prefix, items=[package("committees/")])
                assert ended["state"] == "published", ended
                specs.append(_LOAD.format(name=f"{engine}-{uid}", url=ended["items"][0]["url"]))
        second = write_files(tmp_path / "second", {"pipeline-spec.yaml": "".join(specs)})
        ran = worker.run(second, ["all"])
    assert ran.code == 0, ran.events
    loaded = sorted((second / "loaded").rglob("*.csv"))
    names = [file.relative_to(second / "loaded").parts[0] for file in loaded]
    assert names == ["folder-u1", "folder-u2", "gcs-u1", "gcs-u2", "s3-u1", "s3-u2"]
    assert {file.read_text() for file in loaded} == {"name\ndata\n"}
