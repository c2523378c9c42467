"""The few things that messages need of a Dockerfile."""

from hypothesis import given
from hypothesis import strategies as st

from bot.images.builders.dockerfile import base_images, heredoc, instructions, line_of

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
    assert heredoc('FROM scratch\nRUN cat <<"EOF" <<-B\na\nEOF\n\tB\n') == 2
    for innocent in (
        *("echo $((1 << 2))", "echo $((1 <<n ))", "cat <<< text", "echo a<<b", "echo '<<'", 'echo "<<EOF"'),
        *("echo 'a <<EOF b'", 'echo "say \\" <<EOF "', "echo \\<<EOF", "cat <<EOF"),
    ):
        assert heredoc(f"FROM scratch\nRUN {innocent}\nRUN echo EOF\n") is None, innocent


def test_what_is_in_a_here_document_is_no_instruction() -> None:
    text = "FROM a\nRUN <<EOF\nFROM b\nCOPY --from=c / /\nEOF\nCOPY --from=d / /\n"
    assert [found.line for found in instructions(text)] == [1, 2, 6]
    assert base_images(text, {}) == ["a", "d"]
    assert heredoc("# RUN <<EOF\nLABEL a=<<EOF\n") is None


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    assert all(0 < one.line <= len(text.splitlines()) for one in instructions(text))
    heredoc(text)
    line_of(text, text)


def test_base_images_are_those_of_from_and_of_what_is_copied_from_elsewhere() -> None:
    text = """
        ARG PYTHON=python:3.12 REGISTRY
        ARG SLIM=${PYTHON}-slim
        FROM --platform=linux/amd64 ${SLIM} AS Base
        ARG PYTHON=of-the-stage
        RUN --mount=type=bind,from=tools/uv:1,source=/uv,target=/uv --mount=type=cache,target=/x true
        FROM base AS next
        COPY --from=base /a /a
        COPY --from=0 /b /b
        COPY --chown=1 --from=ghcr.io/ann/data@sha256:00 /c /c
        FROM $REGISTRY/app
        FROM ${OTHER:-alpine:3}
        FROM scratch
        FROM next
        COPY --from=$WHICH /d /d
    """
    found = ["alpine:3", "ghcr.io/ann/data@sha256:00", "python:3.12-slim", "tools/uv:1"]
    assert base_images(text, {}) == found
    given = {"PYTHON": "python:3.13", "REGISTRY": "registry.example.org"}
    assert base_images(text, given) == [*found[:2], "python:3.13-slim", "registry.example.org/app", found[3]]


@given(st.text(alphabet="FROM ARG$\\{}:-=ab\n", max_size=200))
def test_no_text_makes_the_search_for_base_images_fail(text: str) -> None:
    assert all(base_images(text, {"a": "b"}))
