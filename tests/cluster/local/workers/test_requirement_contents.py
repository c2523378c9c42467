"""Requirements that are files of the workload: an environment always has what the folder holds now."""

import os
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bot.errors import PermanentError
from cluster.local.workers.dpp_environment import DppEnvironment, ensure_dpp_environment
from cluster.local.workers.kept_environments import (
    kept_environments,
    mark_used,
    remove_left_behind,
    write_workload,
)
from cluster.local.workers.requirement_contents import requirement_contents
from tests.support.command import Dppctl
from tests.support.dpp_cache import cache_with
from tests.support.workloads import write_files

FLIT = """
    [build-system]
    requires = ["flit_core"]
    build-backend = "flit_core.buildapi"
    [project]
    name = "lib"
    version = "1"
    description = "a library"
"""
SETUPTOOLS = """
    [build-system]
    requires = ["setuptools"]
    build-backend = "setuptools.build_meta"
    [project]
    name = "lib"
    version = "1"
"""
SPEC = """
    values:
      pipeline:
      - flow: values
      - run: dump_to_path
        parameters: {out-path: data/values}
"""
FLOW = """
    from dataflows import Flow, update_resource
    from lib import VALUE

    def flow(*_):
        return Flow([{"value": VALUE}], update_resource(-1, name="v", path="v.csv", **{"dpp:streaming": True}))
"""
Files = Mapping[str, str]


@pytest.fixture
def cache(tmp_path: Path, runtime: DppEnvironment) -> Path:
    return cache_with(runtime, tmp_path / "cache")


def key(folder: Path) -> bytes:
    contents = requirement_contents(folder)
    assert contents
    return contents.key


def imported(cache: Path, workload: Path, module: str = "lib", say: Callable[[str], None] = print) -> str:
    """What VALUE is in the environment that a run of the workload gets."""
    python = ensure_dpp_environment(cache, workload, say).bin / "python"
    command: list[str | Path] = [python, "-P", "-c", f"import {module}; print({module}.VALUE)"]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]


@pytest.mark.needs("dpp")
def test_two_folders_that_install_themselves_run_their_own_code(dppctl: Dppctl, tmp_path: Path, cache: Path) -> None:
    own = {"DPPCTL_CACHE_DIR": str(cache)}
    app = {"pipeline-spec.yaml": SPEC, "values.py": FLOW, "pyproject.toml": FLIT, "requirements.txt": "-e .\n"}
    for name in ("a", "b"):
        write_files(tmp_path / name, {**app, "src/lib/__init__.py": f"VALUE = '{name}'\n"})
    assert imported(cache, tmp_path / "a") == "a"
    done = dppctl("run", "./values", cwd=tmp_path / "b", **own)
    assert done.returncode == 0, done
    assert (tmp_path / "b" / "data" / "values" / "v.csv").read_text().split() == ["value", "b"]
    # What a run writes makes no other environment, nor does code that is used where it is and has changed its text.
    said: list[str] = []
    assert imported(cache, tmp_path / "b", say=said.append) == "b"
    assert said == []


@pytest.mark.needs("dpp")
def test_a_folder_that_has_changed_is_installed_anew_and_nothing_is_left_in_it(tmp_path: Path, cache: Path) -> None:
    folder = write_files(
        tmp_path / "w",
        {"requirements.txt": "-r sub/more.txt", "sub/more.txt": "./lib", "lib/pyproject.toml": SETUPTOOLS}
        | {"lib/lib/__init__.py": "VALUE = 1\n", "lib/lib/old.py": "VALUE = 'old'\n"},
    )
    assert imported(cache, folder) == "1"
    assert imported(cache, folder, "lib.old") == "old"
    assert sorted(path.name for path in (folder / "lib").iterdir()) == ["lib", "pyproject.toml"]
    write_files(folder, {"lib/lib/__init__.py": "VALUE = 2\n"})
    (folder / "lib" / "lib" / "old.py").unlink()
    assert imported(cache, folder) == "2"
    assert imported(cache, folder, "lib.old") == "ModuleNotFoundError: No module named 'lib.old'"
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    said: list[str] = []
    assert imported(cache, copy, say=said.append) == "2"
    assert said == [], "the same contents share an environment"


def wheel(file: Path, value: str) -> None:
    file.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("lib.py", f"VALUE = {value!r}\n")
        archive.writestr("lib-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: lib\nVersion: 1\n")
        archive.writestr("lib-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("lib-1.dist-info/RECORD", "lib.py,,\nlib-1.dist-info/METADATA,,\nlib-1.dist-info/WHEEL,,\n")


@pytest.mark.needs("dpp")
@pytest.mark.parametrize("line", ["w/lib-1-py3-none-any.whl", "lib @ file:w/lib-1-py3-none-any.whl", "-f w\nlib==1"])
def test_a_wheel_that_was_replaced_is_installed(tmp_path: Path, cache: Path, line: str) -> None:
    folder = write_files(tmp_path / "w", {"requirements.txt": line + "\n"})
    for value in ("first", "second"):
        wheel(folder / "w" / "lib-1-py3-none-any.whl", value)
        assert imported(cache, folder) == value


@pytest.mark.needs("dpp")
def test_a_file_of_requirements_that_has_changed_is_installed(
    tmp_path: Path, cache: Path, runtime: DppEnvironment
) -> None:
    folder = write_files(tmp_path / "w", {"requirements.txt": "-r base.txt\n-c low.txt", "low.txt": "iniconfig<2"})
    write_files(folder, {"base.txt": "iniconfig"})
    ask = "from importlib.metadata import version; print(version('iniconfig'))"
    for limit, expected in (("iniconfig<2", "1."), ("iniconfig==2.0.0", "2.0.0")):
        write_files(folder, {"low.txt": limit})
        python = ensure_dpp_environment(cache, folder, print).bin / "python"
        assert subprocess.check_output([python, "-c", ask], text=True).startswith(expected)
        compiled = next(python.parents[1].rglob("datapackage_pipelines/__pycache__/cli.*.pyc"))
        assert compiled.samefile(runtime.folder / compiled.relative_to(python.parents[1])), "it is not compiled again"


@pytest.mark.needs("dpp")
def test_a_path_that_leads_out_is_one_line_and_starts_nothing(
    dppctl: Dppctl, workload: Callable[[Files], Path], tmp_path: Path
) -> None:
    folder = workload({"pipeline-spec.yaml": SPEC, "values.py": FLOW, "requirements.txt": "pandas\n-e ..\n"})
    done = dppctl("run", cwd=folder, DPPCTL_CACHE_DIR=str(tmp_path / "cache"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "dppctl: requirements.txt:2: .. leads out of the workload's folder; put it into that folder\n"
    assert not (tmp_path / "cache").exists()


def test_the_contents_of_a_folder_are_the_key_and_what_builds_and_runs_leave_is_not(tmp_path: Path) -> None:
    folder = write_files(
        tmp_path / "w",
        {"requirements.txt": "-e .", "pipeline-spec.yaml": "", "pyproject.toml": "", "lib/__init__.py": ""},
    )
    first = key(folder)
    left = ("data/x/datapackage.json", ".dpp/x", "lib/__pycache__/x.pyc", "x.egg-info/PKG-INFO", "build/lib/x.py")
    write_files(folder, dict.fromkeys([*left, ".git/HEAD", "venv/pyvenv.cfg"], "x"))
    assert key(folder) == first
    seen = {first}
    for name in ("lib/__init__.py", "lib/more.py", "lib/table.csv", "build/own.py", "setup.cfg", "uv.toml"):
        write_files(folder, {name: "# more\n"})
        seen.add(key(folder))
    (folder / "lib" / "linked").symlink_to("../build/own.py")
    seen.add(key(folder))
    (folder / "build" / "own.py").write_text("# other\n")
    seen.add(key(folder))
    assert len(seen) == 9
    (tmp_path / "other").symlink_to(folder)
    assert key(tmp_path / "other") in seen, "by another name it is the same folder"
    write_files(tmp_path / "copy", {"requirements.txt": "-e .", "pyproject.toml": ""})
    write_files(tmp_path / "copy2", {"requirements.txt": "-e .", "pyproject.toml": ""})
    assert key(tmp_path / "copy") != key(tmp_path / "copy2"), "what is used in its place is for one folder"


def test_links_in_a_circle_and_pipes_hold_nothing_up(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "w", {"requirements.txt": ".", "pyproject.toml": ""})
    (folder / "self").symlink_to(".")
    for number in range(9):
        (folder / f"{number}").mkdir()
        for other in range(9):
            (folder / f"{number}" / f"to-{other}").symlink_to(f"../{other}")
    (folder / "gone").symlink_to("nowhere")
    (folder / "circle").symlink_to("circle")
    os.mkfifo(folder / "pipe")
    assert key(folder) == key(folder)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, {"requirements.txt": "-f w", "w/x.whl": ""})
    (tmp_path / "uv.toml").symlink_to("/proc/self/mem")  # may be opened, and not read
    with pytest.raises(PermanentError):
        requirement_contents(tmp_path)


def kept(cache: Path, name: str, workload: Path, *, days: float, in_place: bool) -> Path:
    """An environment in the cache that holds files of this workload."""
    folder = write_files(cache / "runtimes", {f"{name}-1/bin/dpp": "", f"{name}.lock": ""}) / f"{name}-1"
    write_workload(folder, workload, in_place=in_place)
    (cache / "runtimes" / name).symlink_to(folder.name)
    then = time.time() - days * 86400
    for path in (cache / "runtimes" / f"{name}.lock", cache / "runtimes" / name):
        os.utime(path, (then, then), follow_symlinks=False)
    return folder


def test_environments_with_a_workloads_files_go_when_they_are_left_behind(tmp_path: Path) -> None:
    cache, gone = tmp_path / "cache", tmp_path / "gone"
    folders = [
        kept(cache, "a", tmp_path, days=2, in_place=True),
        kept(cache, "b", gone, days=2, in_place=False),
        kept(cache, "c", gone, days=0, in_place=True),
        kept(cache, "d", tmp_path, days=4, in_place=False),
    ]
    remove_left_behind(cache)
    assert [folder.exists() for folder in folders] == [True, True, False, False]
    assert sorted(path.name for path in (cache / "runtimes").iterdir()) == ["a", "a-1", "a.lock", "b", "b-1", "b.lock"]
    mark_used(cache / "runtimes" / "a")
    assert next(kept_environments(cache)).used > time.time() - 60
