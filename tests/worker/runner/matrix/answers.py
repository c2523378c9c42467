"""What came out of the matrix's pipelines, as plain values that can be compared and kept."""

import hashlib
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy

from tests.worker.runner.matrix.pipelines import PIPELINES

Answer = dict[str, Any]
ANSWERS = Path(__file__).with_name("answers.json")
BY_CHANCE = ("fails_many",)  # what a pipeline that fails late leaves of its table
_KEPT_TEXT = 600  # characters; of longer files their SHA-256 is kept


def answers(results: Mapping[str, Mapping[str, Any]], folder: Path, database: str) -> dict[str, Answer]:
    """Return the answer of each pipeline.

    results: of the receipt by id; folder: the workload; database: URL of that with its tables.
    """
    collected = {}
    unfinished: set[str] = set()
    for name, result in results.items():
        error = (result["error"] or "").splitlines()
        # How far a pipeline came that failed, and what it wrote, is by chance in dpp: each step runs on by itself.
        facts = ("rows", "hash", "bytes", "resources", "stats") if result["status"] == "succeeded" else ()
        collected[name.removeprefix("./")] = {
            "status": result["status"],
            "error": [_plain(line, folder) for line in (error[:2] + error[-1:])],
            **{key: result[key] for key in facts},
        }
        if not facts:
            unfinished |= _written_by(name.removeprefix("./"))
        if facts and _reads_a_package(name.removeprefix("./")):
            collected[name.removeprefix("./")]["stats"] = _without_sums(result["stats"])
    files = {path: text for path, text in _files(folder).items() if path.partition("/")[0] not in unfinished}
    tables = {name: text for name, text in _tables(database).items() if name not in BY_CHANCE}
    return {**collected, "files": files, "tables": tables}


def known() -> dict[str, Any]:
    """Return dpp's own answers."""
    return json.loads(ANSWERS.read_text("utf8"))


def _plain(line: str, folder: Path) -> str:
    """Return a line without what differs from run to run and from machine to machine."""
    line = re.sub(r"\bat 0x[0-9a-f]+", "at 0x", line.replace(str(folder), "FOLDER"))
    return re.sub(r"INFO    :[0-9a-f]{8}", "INFO    :", re.sub(r"/\S*/site-packages/", "", line))


def _reads_a_package(name: str) -> bool:
    """Return whether its descriptors hold the absolute path of what it read, and so differ in hash and size."""
    return any("datapackage.json" in str(step.get("parameters")) for step in PIPELINES[name])


def _written_by(name: str) -> set[str]:
    """Return the folders below data/ that a pipeline writes."""
    parameters = [step.get("parameters", {}) for step in PIPELINES[name]]
    return {given["out-path"].removeprefix("data/") for given in parameters if "out-path" in given}


def _without_sums(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key not in ("hash", "bytes")}


def _files(folder: Path) -> dict[str, str]:
    data = folder / "data"
    files = [path for path in sorted(data.rglob("*")) if path.is_file()]
    return {str(path.relative_to(data)): _content(path, folder) for path in files}


def _content(path: Path, folder: Path) -> str:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            parts = [name.encode() + b"\n" + _in_any(archive.read(name), folder) for name in sorted(archive.namelist())]
            content = b"".join(parts)
    else:
        content = _in_any(path.read_bytes(), folder)
    text = content.decode("utf8", "backslashreplace")
    return text if len(text) <= _KEPT_TEXT else hashlib.sha256(content).hexdigest()


def _in_any(content: bytes, folder: Path) -> bytes:
    """Return a file as it would be in any folder; most are the same in all."""
    if str(folder).encode() not in content:
        return content
    descriptor = _without_sums(json.loads(content.replace(str(folder).encode(), b"FOLDER")))
    return json.dumps(descriptor, indent=1).encode()


def _tables(database: str) -> dict[str, str]:
    """Return for each table a SHA-256 of its columns with their types, its indexes and its rows in their order."""
    engine = sqlalchemy.create_engine(database)
    with engine.connect() as connection:
        inspector = sqlalchemy.inspect(connection)
        found = {}
        for name in sorted(inspector.get_table_names()):
            described = inspector.get_columns(name)
            columns = [(column["name"], repr(column["type"]), column["nullable"]) for column in described]
            more = (inspector.get_pk_constraint(name)["constrained_columns"], inspector.get_indexes(name))
            rows = connection.execute(sqlalchemy.text(f'SELECT * FROM "{name}"')).fetchall()
            found[name] = hashlib.sha256(repr((columns, more, rows)).encode()).hexdigest()
    engine.dispose()
    return found
