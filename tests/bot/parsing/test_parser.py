"""The process that parses: what it reads, and how what is too much for it is refused."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.errors import DppctlError, TransientError
from bot.model.app_config import parse_app_config
from bot.model.pipeline_specs import parse_specs
from bot.parsing.parser import Parser
from tests.support.app_configs import FROM_THE_DESIGN
from tests.support.environment import REPOSITORY
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

SPECS = {"pipeline-spec.yaml": b"a: {schedule: {crontab: '0 6 * * *'}}", "x/pipeline-spec.yaml": b"b: {}"}
MANY = b"a: [" + b"a," * 199_000 + b"]"


_others: set[int] = set()  # processes that the bots of earlier tests have left, as a bot keeps one


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    _others.update(children())
    parser = Parser()
    yield parser
    parser.close()


def children() -> list[int]:
    """The processes that parse, of this one."""
    found = {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()} - _others
    return [pid for pid in found if b"bot.parsing.child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_it_reads_what_the_model_reads(parser: Parser) -> None:
    config = FROM_THE_DESIGN + "build: {arguments: {A: 1.10}}\n"
    assert parser.read_config(config.encode(), "file") == parse_app_config(config, "file")
    assert parser.read_specs(SPECS) == parse_specs(SPECS)
    generated = {"a.source-spec.yaml": b"a: 1", ".hidden/pipeline-spec.yaml": None, "b/pipeline-spec.yaml": b""}
    with pytest.raises(DppctlError, match=r"^b/pipeline-spec.yaml:1: expected pipelines by name$"):
        parser.read_specs(generated)
    del generated["b/pipeline-spec.yaml"]
    assert parser.read_specs(generated) == parse_specs(generated)
    assert parser.read_specs({}) == parse_specs({})


def test_it_says_what_the_model_says(parser: Parser) -> None:
    with pytest.raises(DppctlError, match=r"^file:1: unknown key imagee; did you mean image\?$"):
        parser.read_config(b"imagee: x", "file")
    with pytest.raises(DppctlError, match=r"^file: not UTF-8$"):
        parser.read_config(b"\xff\xfe", "file")
    with pytest.raises(DppctlError, match=r"^x/pipeline-spec.yaml is a symbolic link"):
        parser.read_specs({"x/pipeline-spec.yaml": None})


def test_it_reads_where_the_system_has_no_limit_of_memory() -> None:
    """As on macOS, whose kernel refuses this one."""
    script = """
import resource, sys
from bot.parsing import child
limit = resource.setrlimit
def setrlimit(kind, limits):
    if kind == resource.RLIMIT_AS:
        raise ValueError("current limit exceeds maximum limit")
    limit(kind, limits)
resource.setrlimit, sys.platform = setrlimit, "darwin"
child.main(2**28, 9)
"""
    request = b'["specs", ["pipeline-spec.yaml"], [5], [0]]\na: {}'
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=request, capture_output=True, check=True, env={"PYTHONPATH": str(REPOSITORY)})
    assert json.loads(done.stdout.splitlines()[-1])["value"]["pipelines"] == [["./a", None]]


def test_a_text_that_takes_too_much_memory_is_refused_and_the_next_is_read() -> None:
    parser = Parser(memory=70 * 2**20)
    with pytest.raises(DppctlError) as refused:
        parser.read_specs({"good/pipeline-spec.yaml": b"{}", "x/pipeline-spec.yaml": MANY})
    limit = "70 MB of memory, which is the limit"
    assert str(refused.value) == f"x/pipeline-spec.yaml: to read it takes more than {limit}; make it smaller"
    assert parser.read_specs(SPECS) == parse_specs(SPECS)
    parser.close()


def test_a_text_that_takes_too_long_is_refused_and_the_next_is_read() -> None:
    parser = Parser(cpu_seconds=0)
    with pytest.raises(DppctlError) as refused:
        parser.read_specs({f"x{number}/pipeline-spec.yaml": MANY + b"#%d" % number for number in range(9)})
    limit = "0 seconds of the processor, which is the limit"
    assert f"pipeline-spec.yaml: to read it takes more than {limit}; make it smaller" in str(refused.value)
    assert parser.read_specs(SPECS) == parse_specs(SPECS)
    parser.close()


def test_a_process_that_somebody_killed_is_started_anew(parser: Parser) -> None:
    parser.read_specs(SPECS)
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    assert parser.read_specs(SPECS) == parse_specs(SPECS)


def test_a_text_is_read_while_another_takes_long(parser: Parser) -> None:
    """And of the processes one is kept."""
    parser.read_specs(SPECS)
    [first] = children()
    with ThreadPoolExecutor() as pool:
        os.kill(first, signal.SIGSTOP)
        slow = pool.submit(parser.read_specs, SPECS)
        eventually(lambda: parser._kept is None, "the first process is asked")
        assert pool.submit(parser.read_specs, SPECS).result() == parse_specs(SPECS)
        assert not slow.done()
        os.kill(first, signal.SIGCONT)
        assert slow.result() == parse_specs(SPECS)
    assert children() == [first]


def test_what_takes_too_long_by_the_clock_is_tried_again() -> None:
    parser = Parser(seconds=0.001)
    with pytest.raises(TransientError, match=r"pipeline-spec.yaml: to read it takes more than 0.001 seconds"):
        parser.read_specs(SPECS)
    parser.close()


def test_a_process_that_took_much_memory_is_not_kept(parser: Parser) -> None:
    parser.read_specs(SPECS)
    before = children()
    assert before
    with pytest.raises(DppctlError):
        parser.read_specs({"pipeline-spec.yaml": MANY})
    parser.read_config(b"image: a/b:1", "file")
    assert not set(before) & set(children())
