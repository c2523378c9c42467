import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import DppctlError
from bot.model.image_reference import Reference

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "full", "api_host"),
    [
        ("python", "docker.io/library/python:latest", "registry-1.docker.io"),
        ("python:3.12", "docker.io/library/python:3.12", "registry-1.docker.io"),
        ("ann/app", "docker.io/ann/app:latest", "registry-1.docker.io"),
        ("docker.io/python", "docker.io/library/python:latest", "registry-1.docker.io"),
        ("index.docker.io/ann/app:1", "docker.io/ann/app:1", "registry-1.docker.io"),
        (f"python@{DIGEST}", f"docker.io/library/python@{DIGEST}", "registry-1.docker.io"),
        (f"ghcr.io/ann/app:1@{DIGEST}", f"ghcr.io/ann/app:1@{DIGEST}", "ghcr.io"),
        ("localhost/app", "localhost/app:latest", "localhost"),
        ("registry:5000/app", "registry:5000/app:latest", "registry:5000"),
        ("Registry/app", "Registry/app:latest", "Registry"),
        ("[::1]:5000/a/b/c:V_1.x-y", "[::1]:5000/a/b/c:V_1.x-y", "[::1]:5000"),
        ("ghcr.io/a-b/c.d/e_f/g__h/i---j", "ghcr.io/a-b/c.d/e_f/g__h/i---j:latest", "ghcr.io"),
    ],
)
def test_names_are_completed_as_docker_does(text: str, full: str, api_host: str) -> None:
    reference = Reference.parse(text)
    assert (str(reference), reference.api_host) == (full, api_host)


@pytest.mark.parametrize(
    "text",
    ["", ":", "a:", "a@", "/a", "a/", "a//b", "A", "ghcr.io/A", "a:b:c", "a:-b", "a b", "a\n", "a:b\n", "a" * 256,
     "https://ghcr.io/a", "ghcr.io:/a", "ghcr.io:65536/a", "ghcr.io:x/a", "-ghcr.io/a", "ghcr..io/a", "u@ghcr.io/a",
     "[::1/a", "[:::]/a", "[1.2.3.4]/a", "x" * 64 + ".io/a", "ghcr.io/../a", "ghcr.io/a/.", "ghcr.io/a_-b", "a?b",
     f"a@{DIGEST[:-1]}", f"a@{DIGEST.upper()}", "a@md5:0", f"a@{DIGEST}@{DIGEST}", "--authfile=x", "a:" + "b" * 129],
)  # fmt: skip
def test_what_is_no_image_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(DppctlError, match=r"\A[^\n]* is not an image: expected HOST[^\n]*\Z"):
        Reference.parse(text)


def test_a_pinned_image_has_no_tag() -> None:
    pinned = Reference.parse("ghcr.io/ann/app:1").with_digest(DIGEST)
    assert str(pinned) == f"{pinned.name}@{DIGEST}" == f"ghcr.io/ann/app@{DIGEST}"
    with pytest.raises(DppctlError, match="not a digest"):
        pinned.with_digest("latest")


PIECES = st.sampled_from(
    ["a", "B", "0", "docker.io", "index.", "library", "localhost", "[::1]", "sha256:", DIGEST, *"/:@._-[]% \n\0ä"]
)


@given(st.one_of(st.lists(PIECES, max_size=9).map("".join), st.text(max_size=20)))
def test_whatever_is_accepted_is_written_as_it_is_read(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except DppctlError:
        return
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(str(reference.with_digest(DIGEST))) == reference.with_digest(DIGEST)
    assert not set(str(reference)) & set(" \n\0?#%\\")
    assert not {"", ".", ".."} & set(reference.name.split("/"))
