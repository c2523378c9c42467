"""The runtime image and an app on it, as `images/runtime/Dockerfile` and the generated Dockerfile build them."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bot.images.default_dockerfile import default_dockerfile
from bot.images.runtime import runtime_context
from tests.support.command import Dppctl
from tests.support.environment import REPOSITORY
from tests.support.images import HELLO, Images, index_answers
from tests.support.needs import require
from tests.support.workloads import write_files

pytestmark = pytest.mark.slow

# The first would break dpp; overrides.txt says what it gets instead.
REQUIREMENTS = "flask<2\niniconfig==2.0.0\n"
CHECK = """
import importlib.metadata, os, pathlib, iniconfig
assert importlib.metadata.version("flask") >= "3"
assert os.getuid() == 1000
pathlib.Path("written").touch()
print(pathlib.Path.cwd())
"""


def test_an_app_without_a_dockerfile_is_built_and_runs(
    images: Images, dppctl: Dppctl, workload: Callable[[Mapping[str, str]], Path], tmp_path: Path
) -> None:
    require(index_answers(images), "a package index that the build can ask")
    context = tmp_path / "runtime"
    runtime_context(context, REPOSITORY / "cluster" / "local" / "dpp")
    runtime = images.build(
        f"127.0.0.1:1/runtime-{os.getpid()}", context, "--network", "host", "--build-arg", f"BASE={images.python}"
    )
    caches = ("find", "/root", "/var/cache", "-type", "f")
    assert images.run("podman", "run", "--rm", "--user", "0", runtime, *caches) == ""
    app = write_files(tmp_path / "app", {**HELLO, "requirements.txt": REQUIREMENTS})
    write_files(app, {"Dockerfile": default_dockerfile(runtime, app)})
    image = images.build(f"127.0.0.1:1/on-runtime-{os.getpid()}", app, "--network", "host")
    run = ("podman", "--log-level", "error", "run", "--rm", "--network", "none")
    assert images.run(*run, image, "python3", "-c", CHECK) == "/app"
    imported = ("python3", "-v", "/opt/dpp/bin/dpp", "--help")
    verbose = subprocess.run([*run, image, *imported], capture_output=True, text=True, check=True)
    assert "datapackage_pipelines/__pycache__/cli" in verbose.stderr
    assert "code object from /opt/dpp/lib" not in verbose.stderr  # but from bytecode
    done = dppctl("run", "--image", image, "--env", "NAME=Ada", "--output", "json", cwd=workload(HELLO))
    assert done.returncode == 0, done
    assert json.loads(done.stdout.splitlines()[-1])["pipelines"][0]["rows"] == 1
