"""What a run publishes: the data packages and the site that its pipelines wrote below `data/` of their specs' folders.

Decided once, for all ways to run; whoever keeps the storage gets the files as a tar, or as a folder. Only plain files:
links, hidden files and pipes are never published, and nothing that a pipeline wrote which did not succeed.
"""

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

from worker.limits import UPLOAD_PIECE_BYTES

DATA_PACKAGE, SITE = "data package", "site"
_DESCRIPTORS = {DATA_PACKAGE: "datapackage.json", SITE: "index.html"}
_BLOCK_BYTES = 512  # of a tar archive
_END_OF_TAR = bytes(2 * _BLOCK_BYTES)


class EndedPipeline(NamedTuple):
    """When a pipeline ran, in seconds of the epoch, and how it ended."""

    began: float
    ended: float
    succeeded: bool
    hash: str = ""  # of its data package, as dpp counts it


class Item(NamedTuple):
    """A data package or a site."""

    kind: str
    source: str  # below the workload: `data/committees`, `data/index.html`
    path: str  # below where the run is published: `committees/`; empty for all of it


class Publication(NamedTuple):
    """What was written: to be published, or not, because a pipeline that did not succeed wrote it."""

    workload: Path
    items: Tuple[Item, ...] = ()
    left_out: Tuple[str, ...] = ()  # as `source` of an item

    def describe(self) -> Dict[str, Any]:
        """Return the fields of the event `written`; none: nothing was written."""
        if not self.items and not self.left_out:
            return {}
        return {"items": [item._asdict() for item in self.items], "left_out": list(self.left_out)}

    def files(self) -> Iterator[Tuple[Path, str]]:
        """Yield each file and its path below where the run is published; descriptors come last, the site's the last.

        So whoever sees a descriptor while the files are copied one by one finds what it describes.
        """
        left_out = {self.workload / source for source in self.left_out}
        folders: Dict[Path, str] = {}
        for item in self.items:
            source = self.workload / item.source
            folders[source if item.kind == DATA_PACKAGE else source.parent] = item.path
        descriptors: List[Tuple[Path, str]] = []
        for top, path in folders.items():
            if any(above in folders for above in top.parents):
                continue  # that one has it all
            for folder, names in _walk(top):
                if left_out.intersection((folder, *folder.parents)):
                    continue
                for name in names:
                    file = folder / name
                    found = file, path + file.relative_to(top).as_posix()
                    if name in _DESCRIPTORS.values():
                        descriptors.append(found)
                    else:
                        yield found
        yield from sorted(descriptors, key=lambda found: (found[0].name == _DESCRIPTORS[SITE], found[1]))


def find_written(
    workload: Path, spec_folders: Sequence[str], since: float, ran: Sequence[EndedPipeline]
) -> Publication:
    """Return what was written since then (seconds of the epoch).

    workload: absolute; spec_folders: of the pipelines that ran, below it; ran: those pipelines.
    """
    top = workload.resolve()
    items: List[Item] = []
    left_out: List[str] = []
    for spec_folder in dict.fromkeys((top / folder).resolve() for folder in spec_folders):
        data = spec_folder / "data"
        if data.is_symlink() or not data.is_dir() or top not in data.parents:
            continue
        below = spec_folder.relative_to(top)
        for kind, source in _written(data, since):
            name = source.relative_to(top).as_posix()
            if any(_is_of_failed(file, ran) for file in _own_files(kind, source)):
                left_out.append(name)
                continue
            folder = source if kind == DATA_PACKAGE else source.parent
            path = (below / folder.relative_to(data)).as_posix()
            items.append(Item(kind, name, "" if path == "." else path + "/"))
    return Publication(top, tuple(items), tuple(left_out))


def tar_of(publication: Publication) -> Tuple[int, Callable[[Callable[[bytes], Any]], None]]:
    """Return the size of a tar of its files, and what writes that tar by the function that it is given.

    Raises OSError, also in the midst of it when a file is not any more as it was: then the tar stays too short.
    """
    import tarfile  # few runs need it, and it takes memory while they run

    members: List[Tuple[Path, bytes, int]] = []
    for file, path in publication.files():
        found = file.lstat()
        member = tarfile.TarInfo(path)
        member.size, member.mtime = found.st_size, int(found.st_mtime)
        members.append((file, member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"), found.st_size))

    def write_to(write: Callable[[bytes], Any]) -> None:
        for file, header, size in members:
            write(header)
            _write_content(file, size, write)
            write(bytes(-size % _BLOCK_BYTES))
        write(_END_OF_TAR)

    total = sum(len(header) + size + -size % _BLOCK_BYTES for _, header, size in members)
    return total + len(_END_OF_TAR), write_to


def stage(publication: Publication, folder: Path) -> None:
    """Put its files into `folder/files`, and what they are into `folder/items.json`, which is written last.

    By hard links, where the folder is of the same file system. What an earlier try left goes. Raises OSError.
    """
    files, described = folder / "files", folder / "items.json"
    if described.exists():
        described.unlink()
    if files.exists():
        shutil.rmtree(str(files))
    files.mkdir(parents=True)
    for file, path in publication.files():
        target = files / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(str(file), str(target), follow_symlinks=False)
        except OSError:
            shutil.copyfile(str(file), str(target), follow_symlinks=False)
    part = folder / "items.json.part"
    part.write_text(json.dumps(publication.describe() or {"items": [], "left_out": []}) + "\n")
    os.replace(str(part), str(described))


def _write_content(file: Path, size: int, write: Callable[[bytes], Any]) -> None:
    with open(os.open(str(file), os.O_RDONLY | os.O_NOFOLLOW), "rb") as content:
        while size:
            piece = content.read(min(size, UPLOAD_PIECE_BYTES))
            if not piece:
                raise OSError(f"{file} became shorter while it was read")
            size -= len(piece)
            write(piece)


def _is_of_failed(file: Path, ran: Sequence[EndedPipeline]) -> bool:
    """Tell whether a pipeline that did not succeed wrote this file, or may have: it ran then.

    Of pipelines side by side, that which succeeded is known by the hash of its data package.
    """
    written = file.lstat().st_mtime
    during = [pipeline for pipeline in ran if _is_new(file, pipeline.began) and written <= pipeline.ended + 0.02]
    if all(pipeline.succeeded for pipeline in during):
        return False
    if file.name != _DESCRIPTORS[DATA_PACKAGE]:
        return True
    return _hash(file) not in {pipeline.hash for pipeline in during if pipeline.succeeded}


def _own_files(kind: str, source: Path) -> Iterator[Path]:
    """Yield the files that tell whose it is: a package's descriptor, and of a site what lies in no package."""
    if kind == DATA_PACKAGE:
        yield source / _DESCRIPTORS[DATA_PACKAGE]
        return
    for folder, files in _walk(source.parent):
        if _DESCRIPTORS[DATA_PACKAGE] not in files:
            yield from (folder / name for name in files)


def _hash(package: Path) -> str:
    try:
        return str(json.loads(package.read_text(encoding="utf-8")).get("hash"))
    except (OSError, ValueError, AttributeError):
        return ""


def _written(data: Path, since: float) -> Iterator[Tuple[str, Path]]:
    """Yield what was written: the site first, which holds the packages below it."""
    packages: List[Path] = []
    has_site = site_is_new = False
    package, site = _DESCRIPTORS[DATA_PACKAGE], _DESCRIPTORS[SITE]
    for folder, files in _walk(data):
        has_site = has_site or (folder == data and site in files)
        is_package = package in files
        if is_package and _is_new(folder / package, since):
            packages.append(folder)
        site_is_new = site_is_new or (not is_package and any(_is_new(folder / name, since) for name in files))
    if has_site and (site_is_new or _is_new(data / site, since)):
        yield SITE, data / site
    for found in packages:
        yield DATA_PACKAGE, found


def _is_new(file: Path, since: float) -> bool:
    """Tell whether a file was written since then.

    Some file systems keep whole or even seconds only; others take the time from a clock that ticks slowly.
    """
    written = file.lstat().st_mtime
    return written >= since - (2 if written == int(written) else 0.02)


def _walk(top: Path) -> Iterator[Tuple[Path, List[str]]]:
    """Yield folders with their plain files. Links, hidden files, pipes and the like do not count."""
    for name, folders, files in os.walk(str(top)):
        folders[:] = sorted(below for below in folders if not below.startswith("."))
        folder = Path(name)
        plain = [file for file in files if not file.startswith(".") and stat.S_ISREG((folder / file).lstat().st_mode)]
        yield folder, sorted(plain)
