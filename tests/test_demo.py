"""`make demo`, told once."""

import os
import re
import subprocess
import sys
from pathlib import Path

from cluster.local.folders import cache_dir
from cluster.local.runtime import Runtime
from tests.conftest import REPOSITORY, processes_with


def test_the_demo_tells_how_a_push_a_mistake_and_a_tag_go(runtime: Runtime, tmp_path: Path) -> None:
    assert runtime.bin.is_dir()
    environment = {**os.environ, "ONCE": "1", "TMPDIR": str(tmp_path), "DPPCTL_CACHE_DIR": str(cache_dir())}
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "examples" / "demo.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for environment_name in ("staging", "production"):
        assert re.search(rf"deployed to {environment_name}: [\d.]+ s from the push to the receipt", done.stdout)
    assert len(re.findall(r"\./countries-to-db: succeeded, 249 rows", done.stdout)) == 3
    assert len(re.findall(r"\./zones-to-db: succeeded, \d+ rows", done.stdout)) == 3
    assert re.search(r"deployment 2 failed, [\d.]+ s after the push:", done.stdout)
    assert "not enough values to unpack" in done.stdout
    assert re.search(r"\| staging stays as it was, on master \(\w{12}\)", done.stdout)
    assert done.stdout.count("in staging's database, the countries with the most time zones: United States") == 3
    assert re.search(r"Deploy demo/tz-data v1\.0\.0 \(\w{12}\) to production", done.stdout)
    assert re.search(r"All deployments, .*: http://127\.0\.0\.1:\d+/", done.stdout)
    assert list(tmp_path.iterdir()) == []
    assert not processes_with(f"{tmp_path}/dppctl-demo-")
