"""The workload, with the pipelines to run: a folder, used in place, or the URL of an archive."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from cli.errors import InputError
from cli.limits import CHUNK_BYTES, CONNECT_SECONDS, PROGRESS_SECONDS, SILENCE_SECONDS
from cli.run.limits import Limits

if TYPE_CHECKING:
    from requests import RequestException


def open_workload(where: str, pod: Path, limits: Limits, say: Callable[[str], None]) -> Path:
    """Return the folder with the specs.

    where: a folder, or the http(s) URL of a zip or tar archive, with `#path/inside` if the specs aren't at its top.
    When it holds one folder only, as GitHub's do, that folder is the top. An archive is unpacked in the folder
    `pod`, which goes away with the pod. `say` gets the progress, a line at a time.
    Raises InputError with one line.
    """
    if "://" not in where:
        return _folder(where)
    label = _label(where)
    try:
        top = _fetch(where, pod, limits, say)
        return _inside(top, unquote(urlsplit(where).fragment))
    except InputError as error:
        raise InputError(f"{label}: {error}") from error


def _folder(where: str) -> Path:
    folder = Path(where)
    if not folder.is_dir():
        problem = "is no folder" if folder.exists() else "doesn't exist"
        raise InputError(f"{where} {problem}; --workload takes a folder, or the URL of a zip or tar.gz")
    return folder.absolute()


def _label(url: str) -> str:
    """Return the URL without what may be secret in it: user, password and query."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise InputError(f"no valid URL: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise InputError(f"{parts.scheme}:// is not supported; --workload takes a folder or an http(s) URL")
    if not parts.hostname:
        raise InputError("the URL names no host")
    inside = f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}{inside}"


def _fetch(url: str, folder: Path, limits: Limits, say: Callable[[str], None]) -> Path:
    """Download and unpack below `folder`; return the archive's top."""
    from cli.run.archive import unpack

    archive, top = folder / "archive", folder / "workload"
    try:
        top.mkdir()
        with archive.open("wb") as file:
            size = _download(url, file, limits.max_download_bytes, say)
    except OSError as error:
        raise InputError(f"cannot keep the download: {error.strerror} ({folder})") from error
    files = unpack(archive, top, limits)
    archive.unlink()
    say(f"Downloaded {_megabytes(size)}, unpacked {files} files")
    return top


def _download(url: str, file: BinaryIO, most_bytes: int, say: Callable[[str], None]) -> int:
    """Return the number of bytes. Redirects lead to http and https only: requests knows nothing else."""
    import requests

    say(f"Downloading {_label(url)}")
    size, said = 0, time.monotonic()
    as_it_is = {"Accept-Encoding": "identity"}
    time_outs = (CONNECT_SECONDS, SILENCE_SECONDS)
    try:
        with requests.get(url, headers=as_it_is, stream=True, timeout=time_outs) as answer:
            if answer.status_code != 200:
                raise InputError(f"the server answers {answer.status_code} {answer.reason}")
            for chunk in answer.iter_content(CHUNK_BYTES):
                size += len(chunk)
                if size > most_bytes:
                    raise InputError(f"larger than {most_bytes} bytes (DPPCTL_MAX_DOWNLOAD_BYTES)")
                file.write(chunk)
                if time.monotonic() - said > PROGRESS_SECONDS:
                    said = time.monotonic()
                    say(f"  {_megabytes(size)} so far")
    except requests.RequestException as error:
        raise InputError(f"cannot download: {_reason(error)}") from error
    return size


def _reason(error: "RequestException") -> str:
    """Return a short reason, without the URL, which may hold a secret: requests' own messages quote it."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate cannot be trusted, or it speaks no TLS"
    if isinstance(error, requests.Timeout):
        return f"no answer within {CONNECT_SECONDS} s, or silence for {SILENCE_SECONDS} s"
    if isinstance(error, requests.TooManyRedirects):
        return "it redirects in circles"
    if isinstance(error, requests.exceptions.InvalidSchema):
        return "it redirects to something else than http or https"
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    broken = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
    return "the connection broke off" if isinstance(error, broken) else type(error).__name__


def _inside(top: Path, path: str) -> Path:
    """Return the folder that `#path` means: from the archive's top, or from its only folder.

    GitHub's archives have one, named for the commit. The archive's links all stay inside it (archive.py), so what
    `path` must not have is `..`.
    """
    entries = list(top.iterdir())
    only = entries[0] if len(entries) == 1 and entries[0].is_dir() else top
    if ".." in path.split("/") or "\0" in path:
        raise InputError("the path after # leaves the archive")
    for start in (top, only) if path.strip("/") else (only,):
        if (folder := start / path.strip("/")).is_dir():
            return folder
    raise InputError(f"the archive holds no folder {path!r}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
