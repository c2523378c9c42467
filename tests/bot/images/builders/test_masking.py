"""What of a secret is masked, in whatever form a RUN prints it."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.images.builders.interface import Order
from bot.images.builders.masking import masked
from bot.output import Lines

KEY = "-----BEGIN KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz\nx}\n-----END KEY-----\n"


def log_of(folder: Path, secret: bytes, output: bytes) -> str:
    """What is left of the output of a build with this secret."""
    file = folder / "secret"
    file.write_bytes(secret)
    order = Order(folder, folder / "Dockerfile", "localhost/x:1", secrets={"s": file})
    lines: list[str] = []
    log = Lines(lines.append, masked(order))
    log.add(output)
    log.close()
    return "\n".join(lines)


@pytest.mark.parametrize("columns", [76, 64, 10_000])  # of `base64`, of `openssl base64` and of `base64 -w0`
@pytest.mark.parametrize("secret", ["s3cret-of-ann", "s3cret\n", KEY])
def test_base64_as_programs_print_it_is_masked(tmp_path: Path, secret: str, columns: int) -> None:
    text = base64.b64encode(secret.encode()).decode()
    printed = "\n".join(text[at : at + columns] for at in range(0, len(text), columns))
    assert set(log_of(tmp_path, secret.encode(), f"{printed}\n".encode())) <= set("*\n=")


def test_a_key_of_several_lines_is_masked_line_by_line_and_what_says_nothing_is_left(tmp_path: Path) -> None:
    shown = log_of(tmp_path, KEY.encode(), f"{KEY}if (x) {{ x}}\n".encode())
    assert shown.splitlines() == ["***", "***", "x}", "***", "if (x) { x}"]


@given(st.text(alphabet="abcXYZ019+/%&", min_size=8, max_size=40), st.binary(max_size=7), st.binary(max_size=7))
def test_a_secret_within_base64_of_more_is_not_readable(
    tmp_path_factory: pytest.TempPathFactory, secret: str, before: bytes, after: bytes
) -> None:
    """As of `user:password`; one or two characters at the secret's ends depend on what is beside it."""
    printed = base64.b64encode(before + secret.encode() + after)
    shown = log_of(tmp_path_factory.getbasetemp(), secret.encode(), b"Basic " + printed)
    assert "***" in shown
    pieces = shown.removeprefix("Basic ").split("***")
    kept = sum(len(piece) for piece in pieces)
    assert kept <= (len(before) + len(after)) * 4 // 3 + 12


def test_short_and_empty_secrets_and_those_in_urls(tmp_path: Path) -> None:
    assert log_of(tmp_path, b"x7\n", b"pin x7\n") == "pin ***"
    assert log_of(tmp_path, b"\n", b"as it is\n") == "as it is"
    assert log_of(tmp_path, b"a+b/c=d", b"https://x/?p=a%2Bb%2Fc%3Dd\n") == "https://x/?p=***"
