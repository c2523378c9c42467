"""Whatever files and reports from outside say: they are read, or refused in one line, and nothing else is raised."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.errors import DppctlError
from bot.limits import MAX_RECEIPT_BYTES
from bot.model.app_config import parse_app_config
from bot.model.file_names import IGNORE_FILE
from bot.model.pipeline_specs import parse_specs
from bot.model.receipt import Receipt
from bot.model.registration import parse_registration
from bot.model.schedules import normalise_schedule
from bot.model.trailers import read_deliveries
from bot.model.values import Values

pytestmark = [pytest.mark.fuzz, pytest.mark.slow]
WORDS = [
    *(
        "appRepoPath",
        "opsRepoPath",
        "continuousDeployment",
        "actions",
        "branch",
        "tags",
        "environment",
        "pipeline",
        "all",
    ),
    *("image", "source", "repository", "path", "ref", "commit", "pipelines", "id", "schedule", "crontab", "request"),
    *(
        "apps",
        "environments",
        "clusterProvider",
        "local",
        "gcloud",
        "build",
        "arguments",
        "secrets",
        "dockerfile",
        "title",
    ),
    *(
        "<<",
        "*a",
        "&a ",
        "!!int ",
        "!!binary ",
        "!!set ",
        "!!omap ",
        "!!timestamp ",
        "!x ",
        "? ",
        "- ",
        ": ",
        ":\n  ",
        "\n",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        ", ",
        "| ",
        "> ",
        "'",
        '"',
        "#",
        "%YAML 1.1\n",
        "---\n",
        "...\n",
        "\t",
        "\0",
        "\x85",
        "\ufeff",
    ),
    *(
        "null",
        "~",
        "true",
        "on",
        "1",
        "-1",
        "0x1f",
        "1_0",
        "1:1",
        "1e9",
        ".inf",
        ".nan",
        "2026-02-30",
        "0 6 * * *",
        "ann/app",
    ),
]
TEXT = st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=40).map("".join)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["failed", "./one"]),
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=9) | st.sampled_from(WORDS), below, max_size=4)
    ),
    max_leaves=20,
)
FACTS = ["id", "status", "rows", "bytes", "hash", "seconds", "resources", "stats", "error", "name", "fields", "type"]


def refusal(read: Callable[[], object]) -> str:
    """Why a text is refused; "" when it is read."""
    try:
        read()
    except DppctlError as error:
        return str(error) or "no reason"
    return ""


@given(TEXT)
def test_any_configuration_is_read_or_refused_in_one_line(text: str) -> None:
    for parse in (parse_app_config, parse_registration, Values.from_yaml):
        said = refusal(lambda parse=parse: parse(text, "file"))
        assert said.startswith("file") or not said
        assert "\n" not in said


@given(TEXT)
def test_a_configuration_that_is_read_comes_out_of_another_process_as_it_went_in(text: str) -> None:
    with suppress(DppctlError):
        config = parse_app_config(f"{text}\n", "file")
        dumped = config.model_dump_json(by_alias=True, exclude_unset=True)
        assert type(config).model_validate_json(dumped).model_dump_json(by_alias=True, exclude_unset=True) == dumped


@given(TEXT.map(str.encode) | st.binary(max_size=80), TEXT.map(str.encode))
def test_any_specs_are_read_or_refused_in_one_line(spec: bytes, patterns: bytes) -> None:
    assert "\n" not in refusal(lambda: parse_specs({"a/pipeline-spec.yaml": spec, IGNORE_FILE: patterns}))


@given(st.lists(st.dictionaries(st.sampled_from(FACTS), JSON), max_size=4) | JSON)
def test_any_receipt_is_read_within_its_limit_or_refused(pipelines: object) -> None:
    times = {"started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:00:00Z"}
    with suppress(ValidationError):
        receipt = Receipt.model_validate({"status": "failed", "pipelines": pipelines, **times})
        assert len(receipt.model_dump_json().encode()) <= MAX_RECEIPT_BYTES


@given(st.lists(st.just("*") | st.text("0123456789*/-,LW#?monsu", min_size=1, max_size=6), min_size=5, max_size=5))
def test_any_schedule_is_read_or_refused(fields: list[str]) -> None:
    with suppress(ValueError):
        normalise_schedule(" ".join(fields))


@given(st.text())
def test_any_message_of_a_commit_is_read(message: str) -> None:
    read_deliveries(message)
