"""Which files requirements.txt refers to: all of them, and what cannot be is said with file and line."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import PermanentError
from bot.model.requirements import references
from tests.support.workloads import write_files

PROJECT = "[project]\nname = 'lib'\nversion = '1'\n"
FILES = {"lib/pyproject.toml": PROJECT, "base.txt": "pandas\n", "w/a-1-py3-none-any.whl": "", "a b/pyproject.toml": ""}


def found(folder: Path, requirements: str, **more: str) -> list[tuple[str, str, str]]:
    write_files(folder, {**FILES, "requirements.txt": requirements, **more})
    root = folder.resolve()
    return [(each.kind, str(each.path.relative_to(root)), each.where) for each in references(folder)]


@pytest.mark.parametrize(
    ("line", "kind", "path"),
    [
        ("-r base.txt", "requirements", "base.txt"),
        ("-rbase.txt", "requirements", "base.txt"),
        ("--requirement=base.txt", "requirements", "base.txt"),
        ("-c base.txt  # kept low", "requirements", "base.txt"),
        ("--constraint base.txt", "requirements", "base.txt"),
        ("-e .", "editable", "."),
        ("-e ./lib[extra]", "editable", "lib"),
        ("--editable=lib", "editable", "lib"),
        ("-e file:lib#egg=lib", "editable", "lib"),
        (".", "project", "."),
        (".[all] ; python_version > '3'", "project", "."),
        ("./lib", "project", "lib"),
        ("lib/", "project", "lib"),
        ("file:./lib", "project", "lib"),
        ("file:a%20b", "project", "a b"),
        ("lib @ ./lib", "project", "lib"),
        ("lib[x]@file:lib ; python_version > '3'", "project", "lib"),
        ("w/a-1-py3-none-any.whl", "archive", "w/a-1-py3-none-any.whl"),
        ("w/a-1-py3-none-any.whl --hash=sha256:00", "archive", "w/a-1-py3-none-any.whl"),
        ("-f w", "packages", "w"),
        ("--find-links=./w", "packages", "w"),
        ("--find-links file:w", "packages", "w"),
        ("--extra-index-url ./w", "packages", "w"),
        ("-e \\\n  lib", "editable", "lib"),
        ("\ufeff-e lib", "editable", "lib"),
    ],
)
def test_it_knows_what_a_line_refers_to(tmp_path: Path, line: str, kind: str, path: str) -> None:
    assert found(tmp_path, line + "\n") == [(kind, path, "requirements.txt:1")]


@pytest.mark.parametrize(
    "line",
    [
        "lib",
        "lib==1.0",
        "pandas[a,b] ~= 1.0 ; python_version > '3'",
        "pandas (>=1)",
        "x @ https://example.org/x.whl",
        "https://example.org/x.tar.gz",
        "git+https://example.org/a/b.git@v1#egg=b",
        "-e git+https://example.org/a/b.git",
        "--index-url https://example.org/simple",
        "--no-binary :all:",
        "# -r nowhere.txt",
        "pandas==1 \\\n  --hash=sha256:00",
        "",
    ],
)
def test_what_comes_from_elsewhere_is_no_file(tmp_path: Path, line: str) -> None:
    assert found(tmp_path, line + "\n") == []


def test_files_that_name_files_are_followed_once(tmp_path: Path) -> None:
    more = {"sub/more.txt": "# more\n-r ../requirements.txt\n-r deep/x.txt\n./lib\n", "sub/deep/x.txt": "-f ../../w\n"}
    assert found(tmp_path, "-r sub/more.txt\n", **more) == [
        ("requirements", "sub/more.txt", "requirements.txt:1"),
        ("requirements", "sub/deep/x.txt", "sub/more.txt:3"),
        ("project", "lib", "sub/more.txt:4"),
        ("packages", "w", "sub/deep/x.txt:1"),
    ]


def test_projects_that_need_other_folders_are_followed(tmp_path: Path) -> None:
    uv = PROJECT + "dependencies = ['c @ file:../c']\n[tool.uv.sources]\nb = {path = '../b', editable = true}\n"
    poetry = "[tool.poetry.dependencies]\nd = {path = '../d', develop = true}\n"
    more = {"a/pyproject.toml": uv, "b/pyproject.toml": poetry, "c/setup.py": "", "d/setup.py": ""}
    assert [path for _, path, _ in found(tmp_path, "./a\n", **more)] == ["a", "b", "c", "d"]


def test_a_member_of_a_workspace_may_need_anything_of_it(tmp_path: Path) -> None:
    more = {"a/pyproject.toml": PROJECT + "[tool.uv.sources]\nb = {workspace = true}\n"}
    assert [path for _, path, _ in found(tmp_path, "./a\n", **more)] == ["a", "."]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-r gone.txt", "requirements.txt:2: gone.txt: there is no such file or folder; add it, or correct the line"),
        ("-r lib", "requirements.txt:2: lib is no file; name a file of requirements"),
        ("-e ./gone", "requirements.txt:2: ./gone: there is no such file or folder; add it, or correct the line"),
        ("gone.whl", "requirements.txt:2: gone.whl: there is no such file or folder; add it, or correct the line"),
        ("-f ${NOWHERE}/w", "requirements.txt:2: ${NOWHERE}/w: there is no such file or folder; "),
        ("-e ..", "requirements.txt:2: .. leads out of the workload's folder; put it into that folder"),
        ("-r /etc/passwd", "requirements.txt:2: /etc/passwd leads out of the workload's folder"),
        ("x @ file:///etc", "requirements.txt:2: file:///etc leads out of the workload's folder"),
        ("-r ${SECRET}", "requirements.txt:2: ${SECRET} leads out of the workload's folder"),
        ("-c link.txt", "requirements.txt:2: link.txt leads out of the workload's folder"),
        ("-r circle.txt", "requirements.txt:2: 'circle.txt' is no path"),
        (f"-r {'x' * 300}", f"requirements.txt:2: '{'x' * 300}' is no path"),
        ("-r sub/bad.txt", "requirements.txt:2: bad.txt is not UTF-8 text; save it as UTF-8"),
        ("-r sub/deep.txt", "sub/deep.txt:1: ../../x leads out of the workload's folder"),
        ("./toml", "toml/pyproject.toml: "),
    ],
)
def test_what_cannot_be_is_one_line_that_says_where(
    tmp_path: Path, line: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "/var/lib/secret")
    write_files(tmp_path / "w", {"sub/deep.txt": "-f ../../x\n", "toml/pyproject.toml": "[", "../x.txt": ""})
    (tmp_path / "w" / "sub" / "bad.txt").write_bytes("ł".encode("utf-16"))
    (tmp_path / "w" / "link.txt").symlink_to("../x.txt")
    (tmp_path / "w" / "circle.txt").symlink_to("circle.txt")
    with pytest.raises(PermanentError) as caught:
        found(tmp_path / "w", f"pandas\n{line}\n")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert "/var/lib/secret" not in str(caught.value)


def test_a_requirements_file_that_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, {"w/x": "", "requirements.txt": ""})
    (tmp_path / "w" / "requirements.txt").symlink_to("../requirements.txt")
    with pytest.raises(PermanentError, match=r"^requirements.txt: requirements.txt leads out of the workload's folder"):
        references(tmp_path / "w")


@given(text=st.text(alphabet="-rcef.ab/ \\\n#[];@:=${}AZ%~\0'\""))
@settings(max_examples=40, deadline=None)
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    said = ""
    try:
        found(folder, text)
    except PermanentError as error:
        said = str(error)
    assert "\n" not in said
