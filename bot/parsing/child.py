"""The process that parses: `python -m bot.parsing.child BYTES SECONDS`.

It reads requests from stdin: a line of JSON, and after it the contents of the files that the line lists. It answers
each with lines of JSON on stdout: `{"at": PATH}` before a file is read, and in the end the value, or why it is refused.
It ends with stdin. What takes too long is ended by the kernel (SIGXCPU), what takes too much memory by an exception.
"""

import json
import resource
import sys
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any, BinaryIO

from bot.errors import DppctlError
from bot.limits import KEPT_PARSER_BYTES
from bot.model.app_config import parse_app_config
from bot.model.pipeline_specs import parse_specs


def main(memory: int, seconds: int) -> None:
    """Answer requests until there are no more; `memory`: bytes, `seconds`: of the processor, for each request."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "darwin":  # it refuses every limit of that kind; time is limited there alone
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    while line := sys.stdin.buffer.readline():
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = ceil(used.ru_utime + used.ru_stime) + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        answer = _answer(line, sys.stdin.buffer, memory)
        is_last = _peak() > KEPT_PARSER_BYTES
        _say({**answer, "last": is_last})
        if is_last:
            break


def _answer(line: bytes, stream: BinaryIO, memory: int) -> dict[str, Any]:
    what, paths, sizes, places = json.loads(line)
    where = ""
    try:
        contents = [stream.read(size) for size in sizes]
        files = {path: None if place is None else contents[place] for path, place in zip(paths, places, strict=True)}
        where = paths[0]
        return {"value": _read_config(files) if what == "config" else _read_specs(files)}
    except DppctlError as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"memory": f"{memory // 2**20:,} MB"}
    except Exception as error:  # noqa: BLE001 (a mistake of ours; whatever it is, the next request has nothing to do with it)
        return {"broke": repr(error)[:500], "at": where}


def _read_config(files: Mapping[str, bytes | None]) -> str:
    [(path, content)] = files.items()
    _say({"at": path})
    try:
        return parse_app_config((content or b"").decode(), path).model_dump_json(by_alias=True, exclude_unset=True)
    except UnicodeDecodeError:
        raise DppctlError(f"{path}: not UTF-8") from None


def _read_specs(files: Mapping[str, bytes | None]) -> dict[str, Any]:
    specs = parse_specs(files, lambda path: _say({"at": path}))
    return {
        "pipelines": [(pipeline.id, pipeline.schedule) for pipeline in specs.pipelines],
        "generated_by": specs.generated_by,
    }


def _peak() -> int:
    """Return the most bytes of memory that it had; getrusage counts those of the process that started it too."""
    status = Path("/proc/self/status")  # https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _say(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
