"""The few things that messages need of a Dockerfile."""

from hypothesis import given
from hypothesis import strategies as st

from bot.images.builders.dockerfile import heredoc, instructions, line_of

TEXT = """\
# syntax=docker/dockerfile:1
FROM python:3 AS base

run apt-get update \\
    # a comment in the middle
    && apt-get   install -y git
COPY a b
COPY c d
"""


def test_continued_lines_are_one_instruction_and_keep_their_first_line() -> None:
    assert [(one.line, one.text) for one in instructions(TEXT)] == [
        (2, "FROM python:3 AS base"),
        (4, "run apt-get update && apt-get install -y git"),
        (7, "COPY a b"),
        (8, "COPY c d"),
    ]


def test_a_quoted_instruction_has_a_line() -> None:
    assert line_of(TEXT, "RUN apt-get update && apt-get install -y git") == 4
    assert line_of(TEXT, "COPY c d") == 8
    assert line_of(TEXT, "FROM python") == 2  # the only one
    assert line_of(TEXT, "COPY e f") is None
    assert line_of(TEXT, "") is None


def test_here_documents_are_told_from_what_looks_like_them() -> None:
    assert heredoc("FROM scratch\nRUN <<EOF\necho\nEOF\n") == 2
    assert heredoc("FROM scratch\nCOPY <<-'END' /x\nEND\n") == 2
    assert heredoc("FROM scratch\nRUN cat 3<<EOF\nEOF\n") == 2
    for innocent in ("echo $((1 << 2))", "cat <<< text", "echo a<<b", "echo '<<'"):
        assert heredoc(f"FROM scratch\nRUN {innocent}\n") is None
    assert heredoc("# RUN <<EOF\nLABEL a=<<EOF\n") is None


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    assert all(0 < one.line <= len(text.splitlines()) for one in instructions(text))
    heredoc(text)
    line_of(text, text)
