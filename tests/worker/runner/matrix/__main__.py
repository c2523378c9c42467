"""Asks dpp for its answers to the matrix's pipelines and keeps them: `python -m tests.worker.runner.matrix`."""

import json
import tempfile
from pathlib import Path

from cluster.local.folders import cache_dir
from cluster.local.workers.dpp_environment import ensure_dpp_environment
from tests.worker.runner.matrix.answers import ANSWERS
from tests.worker.runner.matrix.run import run
from worker.zipapp_builder import build

with tempfile.TemporaryDirectory() as scratch:
    zipapp = Path(scratch, "worker.pyz")
    build(zipapp)
    found = run(zipapp, ensure_dpp_environment(cache_dir(), None, print), Path(scratch), "dpp")
ANSWERS.write_text(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf8")
