"""Charts rendered by real helm."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.support.environment import REPOSITORY
from tests.support.helm import helm

CHART = REPOSITORY / "charts" / "dppctl-pipelines"
Values = Mapping[str, Any]
Object = dict[str, Any]


def run_helm(*arguments: str | Path, major: int = 4) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run([helm(major), *arguments], capture_output=True, text=True, check=False)


def template(
    folder: Path, *values: Values, chart: Path = CHART, name: str = "app", major: int = 4, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """`helm template` with values files of these contents, the last of which wins."""
    files = []
    for number, content in enumerate(values):
        file = folder / f"values-{number}.yaml"
        file.write_text(json.dumps(content))  # which is YAML
        files += ["--values", str(file)]
    return run_helm("template", name, chart, "--namespace", "data", *files, *options, major=major)


def render(folder: Path, *values: Values, **how: Any) -> list[Object]:
    """The objects; it must succeed. Takes what `template` takes."""
    done = template(folder, *values, **how)
    assert done.returncode == 0, done.stderr
    return [one for one in YAML(typ="safe").load_all(done.stdout) if one]


def of_kind(objects: Sequence[Object], kind: str) -> list[Object]:
    """Those of a kind."""
    return [one for one in objects if one["kind"] == kind]
