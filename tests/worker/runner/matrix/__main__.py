"""Asks dpp for its answers to the matrix's pipelines and keeps them: `python -m tests.worker.runner.matrix`."""

import json
import tempfile
from pathlib import Path

from cluster.local.folders import cache_dir
from cluster.local.workers.dpp_environment import ensure_dpp_environment
from tests.support.postgres import new_database
from tests.worker.runner.matrix.answers import ANSWERS
from tests.worker.runner.matrix.pipelines import OF_POSTGRESQL
from tests.worker.runner.matrix.run import run
from worker.zipapp_builder import build

with tempfile.TemporaryDirectory() as scratch:
    zipapp = Path(scratch, "worker.pyz")
    build(zipapp)
    runtime = ensure_dpp_environment(cache_dir(), None, print)
    found = run(zipapp, runtime, Path(scratch, "matrix"), "dpp")
    with new_database(Path(scratch)) as database:
        of_postgresql = run(zipapp, runtime, Path(scratch, "postgresql"), "dpp", OF_POSTGRESQL, database)
answers = {**found, "postgresql": of_postgresql}
ANSWERS.write_text(json.dumps(answers, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf8")
