"""Read an app's folder as it is on the disk, before anything of it is pushed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.errors import NoRepositoryError
from bot.limits import MAX_CONFIG_BYTES, MAX_SPEC_BYTES
from bot.model.app_config import AppConfig, Build, parse_app_config
from bot.model.documents import read_text
from bot.model.file_names import CONFIG_FILE, SPEC_FILE
from bot.model.pipeline_specs import Specs, parse_specs
from bot.model.spec_files import is_spec
from cli.init.app import repository_of


@dataclass(frozen=True)
class AppFolder:
    """What a folder says of itself.

    path: where it is in its repository, "" for the root; repository: OWNER/REPO, None without a remote that says it.
    config, specs: None when there are none that can be read. problems: why, each with file and line. untracked: files
    that decide, and that git does not know.
    """

    path: str
    repository: str | None
    config: AppConfig | None
    specs: Specs | None
    has_dockerfile: bool
    problems: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()


@dataclass
class _Reading:
    folder: Path
    problems: list[str] = field(default_factory=list)


def read_folder(git: Git, folder: Path) -> AppFolder:
    """Read the folder's `.dppctl.yaml` and specs, all of them, whatever is wrong with one.

    What git ignores is no part of it. Raises OSError when the folder cannot be read, GitError when git cannot read it.
    """
    reading = _Reading(folder)
    known, others = _listed(git, folder, "--cached"), _listed(git, folder, "--others", "--exclude-standard")
    is_clone = known is not None
    files = sorted({*(known or ()), *(others or ())}) if is_clone else _walk(folder)
    config = _read_config(reading)
    specs = _read_specs(reading, [file for file in files if is_spec(file) and _is_there(folder / file)])
    dockerfile = ((config and config.build) or Build()).dockerfile
    decisive = [file for file in (others or ()) if is_spec(file) or file in (CONFIG_FILE, dockerfile)]
    return AppFolder(
        path=git.run(folder, "rev-parse", "--show-prefix").decode(errors="replace").strip("/\n") if is_clone else "",
        repository=repository_of(git.configured(folder, "remote.origin.url") or "") if is_clone else None,
        config=config,
        specs=specs,
        has_dockerfile=(folder / dockerfile).is_file(),
        problems=tuple(reading.problems),
        untracked=tuple(decisive),
    )


def _read_config(reading: _Reading) -> AppConfig | None:
    file = reading.folder / CONFIG_FILE
    if file.is_symlink():
        reading.problems.append(f"{CONFIG_FILE} is a symbolic link, which is not followed; put the file itself there")
        return None
    try:
        text = read_text(file)
        if len(text.encode()) > MAX_CONFIG_BYTES:
            raise DppctlError(f"{CONFIG_FILE}: larger than {MAX_CONFIG_BYTES // 1024} KB")
        return parse_app_config(text, CONFIG_FILE)
    except FileNotFoundError:
        return None
    except DppctlError as error:
        reading.problems.append(str(error).removeprefix(f"{reading.folder}/"))
        return None


def _read_specs(reading: _Reading, paths: list[str]) -> Specs | None:
    """Read each spec by itself, so that each one's mistake is told, and then all together."""
    contents: dict[str, bytes | None] = {}
    count = len(reading.problems)
    for path in paths:
        file = reading.folder / path
        if not file.is_symlink() and file.stat().st_size > MAX_SPEC_BYTES:
            reading.problems.append(f"{path}: larger than {MAX_SPEC_BYTES // 2**20} MB")
            continue
        contents[path] = None if file.is_symlink() else file.read_bytes()
    ignoring = {path: content for path, content in contents.items() if path.rpartition("/")[2] != SPEC_FILE}
    for path, content in contents.items():
        _try(reading, {**ignoring, path: content})
    reading.problems[count:] = dict.fromkeys(reading.problems[count:])
    return None if reading.problems[count:] else _try(reading, contents)


def _try(reading: _Reading, files: Mapping[str, bytes | None]) -> Specs | None:
    try:
        return parse_specs(files)
    except DppctlError as error:
        reading.problems.append(str(error))
        return None


def _listed(git: Git, folder: Path, *which: str) -> list[str] | None:
    """Return files below the folder that git lists; None: it is in no clone."""
    try:
        listed = git.run(folder, "ls-files", *which, "-z").decode(errors="surrogateescape")
    except NoRepositoryError:
        return None
    return [file for file in listed.split("\0") if file]


def _is_there(file: Path) -> bool:
    return file.is_symlink() or file.is_file()  # what was deleted is listed until that is committed


def _walk(folder: Path) -> list[str]:
    found = (file.relative_to(folder) for file in folder.rglob("*") if is_spec(file.name))
    return sorted(str(file) for file in found if not any(part.startswith(".") for part in file.parts[:-1]))
