import base64
import json
from pathlib import Path

import pytest

from bot.images.registry.credentials import read_basic
from bot.images.registry.errors import RegistryDeniedError
from bot.model.image_reference import Reference

ANN = {"auth": base64.b64encode(b"ann:s3same").decode()}
IMAGE = "ghcr.io/ann/app"


def user(folder: Path, content: object, image: str = IMAGE) -> str | None:
    """Whose name and password is read from a file for an image."""
    file = folder / "auth.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    header = read_basic(file, Reference.parse(image))
    return base64.b64decode(header.removeprefix("Basic ")).decode() if header else None


@pytest.mark.parametrize(
    ("key", "image"),
    [
        ("ghcr.io", IMAGE),
        ("https://ghcr.io", IMAGE),
        ("https://ghcr.io/v1/", IMAGE),
        ("http://ghcr.io/v2/", IMAGE),
        ("ghcr.io/ann", IMAGE),
        ("ghcr.io/ann/app", IMAGE),
        ("127.0.0.1:5000", "127.0.0.1:5000/app"),
        ("https://index.docker.io/v1/", "python"),
        ("docker.io", "python"),
        ("registry-1.docker.io", "docker.io/ann/app"),
        ("docker.io/ann", "ann/app"),
    ],
)
def test_every_way_to_write_a_registry_is_understood(tmp_path: Path, key: str, image: str) -> None:
    assert user(tmp_path, {"auths": {key: ANN}}, image) == "ann:s3same"


@pytest.mark.parametrize("key", ["ghcr.io:443", "example.org", "ghcr.io/anna", "ghcr.io/an", "ghcr.io.example.org"])
def test_credentials_for_another_place_are_not_shown(tmp_path: Path, key: str) -> None:
    assert user(tmp_path, {"auths": {key: ANN}}) is None


def test_the_most_specific_credentials_win(tmp_path: Path) -> None:
    eve = {"username": "eve", "password": "pass:wörd"}
    assert user(tmp_path, {"auths": {"ghcr.io": ANN, "ghcr.io/ann": eve}}) == "eve:pass:wörd"
    assert user(tmp_path, {"auths": {"ghcr.io": ANN, "ghcr.io/ann": {}}}) == "ann:s3same"


@pytest.mark.parametrize("content", [{}, {"auths": {}}, {"auths": {"ghcr.io": {}}}, {"HttpHeaders": {"a": "b"}}])
def test_a_file_without_credentials_has_none(tmp_path: Path, content: object) -> None:
    assert user(tmp_path, content) is None


@pytest.mark.parametrize("content", [{"credsStore": "desktop"}, {"credHelpers": {"ghcr.io": "desktop"}}])
def test_helpers_are_named_and_not_run(tmp_path: Path, content: dict[str, object]) -> None:
    with pytest.raises(RegistryDeniedError, match=r"helper 'desktop' keeps the credentials for ghcr\.io"):
        user(tmp_path, {**content, "auths": {"ghcr.io": {}}})
    assert user(tmp_path, {**content, "auths": {"ghcr.io": ANN}}) == "ann:s3same"
    assert user(tmp_path, {"credHelpers": {"example.org": "desktop"}}) is None


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("auths: s3same", "is no file of registry credentials"),
        ("", "is no file of registry credentials"),
        ('["s3same"]', "is no file of registry credentials"),
        ({"auths": {"ghcr.io": "s3same"}}, "is no file of registry credentials"),
        ({"auths": {"ghcr.io": {"auth": "s3same!"}}}, "ghcr.io: `auth` is not the base64"),
        ({"auths": {"other": {"auth": base64.b64encode(b"s3same").decode()}}}, "other: `auth` is not the base64"),
        ({"auths": {"ghcr.io": {**ANN, "identitytoken": "s3same"}}}, "ghcr.io: identity tokens are not supported"),
    ],
)
def test_a_wrong_file_is_an_error_in_one_line_without_secrets(tmp_path: Path, content: object, wrong: str) -> None:
    with pytest.raises(RegistryDeniedError) as refused:
        user(tmp_path, content)
    assert str(refused.value).startswith(str(tmp_path / "auth.json"))
    assert wrong in str(refused.value)
    assert "s3same" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(RegistryDeniedError, match=r"credentials cannot be read: .*/missing\.json"):
        read_basic(tmp_path / "missing.json", Reference.parse(IMAGE))
