"""What is kept of a failed processor's output, and what comes first."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bot.model.receipt import PipelineResult
from worker.limits import ERROR_LINES
from worker.runner.errors import explain

WORKLOAD = Path("/app")
INSTALLED = [
    line
    for number in range(60)
    for line in (f'  File "/venv/lib/python3/site-packages/lib.py", line {number}, in step', "    call()", "    ^^^^^^")
]


def traceback(*frames: str, error: str) -> list[str]:
    return ["Traceback (most recent call last):", *frames, error]


def own(line: int) -> list[str]:
    return [f'  File "/app/sub/votes.py", line {line}, in parse', "    return int(text)"]


def test_the_users_innermost_line_and_the_exception_come_first() -> None:
    output = traceback(*INSTALLED, *own(3), *own(7), error="ValueError: no number: 'x'")
    lines = explain("votes", output, WORKLOAD).splitlines()
    assert lines[:3] == ["sub/votes.py:7: ValueError: no number: 'x'", "votes:", "Traceback (most recent call last):"]
    assert lines[-1] == "ValueError: no number: 'x'"
    assert [line for line in lines if "/app/sub/votes.py" in line] == [own(3)[0], own(7)[0]]
    assert len(lines) <= 2 * ERROR_LINES


def test_every_exception_of_a_chain_is_kept_and_the_first_cause_comes_first() -> None:
    output = [
        *traceback(*INSTALLED, error='tableschema.exceptions.CastError: Field "v" can\'t cast value "NA"'),
        "The above exception was the direct cause of the following exception:",
        *traceback(*own(4), *INSTALLED, error="lib.base.ValidationError: "),
        "ROW: {'v': 'NA'}",
        "During handling of the above exception, another exception occurred:",
        *traceback(*INSTALLED, error="lib.ProcessorError: in step 2"),
    ]
    lines = explain("(flow)", output, WORKLOAD).splitlines()
    assert lines[0] == (
        "sub/votes.py:4: CastError: Field \"v\" can't cast value \"NA\"; ValidationError:  ROW: {'v': 'NA'}; "
        "ProcessorError: in step 2"
    )
    assert 'tableschema.exceptions.CastError: Field "v" can\'t cast value "NA"' in lines
    assert "lib.ProcessorError: in step 2" in lines


def test_what_the_user_raised_stands_before_what_it_came_from() -> None:
    output = [
        *traceback(*own(2), error="KeyError: 'year'"),
        "During handling of the above exception, another exception occurred:",
        *traceback(*INSTALLED, *own(5), error="ValueError: members.csv has no column year"),
    ]
    text = explain("votes", output, WORKLOAD)
    assert text.startswith("sub/votes.py:5: ValueError: members.csv has no column year\n")
    assert "KeyError: 'year'" in text


def test_what_dpp_logs_before_it_raises_something_general_is_the_reason() -> None:
    said = "Data Package validation error: 'My Name' does not match '^([-a-z0-9._/])+$' at dp['name']"
    output = [f"ERROR   :{said}", *traceback(*INSTALLED, error="ValidationError: There are 2 validation errors")]
    assert explain("dump_to_path", output, WORKLOAD).splitlines()[0] == f"dump_to_path: {said}"


def test_of_many_logged_errors_the_first_and_the_last_stay() -> None:
    output = [f"ERROR   :row {number}" for number in range(900)] + traceback(*own(9), error="ValueError: 900 rows")
    lines = explain("votes", output, WORKLOAD).splitlines()
    assert lines[0] == "sub/votes.py:9: ValueError: 900 rows"
    assert {"row 0", "row 899", "ValueError: 900 rows"} <= set(lines)
    assert "row 450" not in lines
    assert len(lines) < 2 * ERROR_LINES


def test_a_step_with_its_code_in_the_spec_has_a_line_too() -> None:
    output = traceback('  File "/app/.code/0123abc", line 2, in <module>', error="ValueError: x")
    assert explain("list", output, WORKLOAD).splitlines()[0] == "line 2 of the step's code: ValueError: x"


@given(
    st.text(max_size=50),
    st.lists(
        st.one_of(
            st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=50),
            st.sampled_from(
                ["Traceback (most recent call last):", "x" * 4000, *own(1), "ERROR   :x\0", "ValueError: x"]
            ),
        ),
        max_size=200,
    ),
)
def test_any_output_gives_an_error_that_a_report_can_hold(processor: str, output: list[str]) -> None:
    text = explain(processor.replace("\0", ""), output, WORKLOAD)
    assert PipelineResult(id="./a", status="failed", error=text).error == text


def test_a_frame_of_what_stands_in_for_dpps_code_is_not_shown() -> None:
    traceback = [
        "Traceback (most recent call last):",
        '  File "/x/site-packages/dataflows/base/schema_validator.py", line 70, in schema_validator',
        "    row[field.name] = field.cast_value(row.get(field.name))",
        '  File "/tmp/run/hooks/dppctl_hooks/quick/fields.py", line 60, in quick_cast_value',
        "    return cast_value(self, value, constraints)",
        "           ^^^^^^^^^^",
        '  File "/x/site-packages/tableschema/field.py", line 140, in cast_value',
        "    raise exceptions.CastError((",
        "tableschema.exceptions.CastError: no number",
    ]
    error = explain("load", traceback, Path("/tmp/workload"))
    assert error.splitlines()[0] == "load: CastError: no number"
    assert "tableschema/field.py" in error
    assert "dppctl_" not in error
    assert "return cast_value" not in error
