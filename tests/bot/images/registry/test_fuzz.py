"""Whatever a registry, a token server or a login file says: it is read, or refused as no such answer."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.errors import DppctlError
from bot.images.registry.auth import _Token, challenges
from bot.images.registry.client import _Manifest
from bot.images.registry.credentials import _AuthFile
from bot.model.image_reference import Reference

pytestmark = pytest.mark.fuzz
KEYS = [
    *("token", "access_token", "expires_in", "schemaVersion", "mediaType", "config", "layers", "manifests", "platform"),
    *("architecture", "os", "digest", "size", "auths", "auth", "username", "password", "identitytoken", "credHelpers"),
]
ANSWER = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("sha256:" + "a" * 64),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.sampled_from(KEYS), below, max_size=6),
    max_leaves=20,
)


@given(ANSWER.map(json.dumps).map(str.encode) | st.binary(max_size=60))
def test_any_answer_is_read_or_refused(body: bytes) -> None:
    for model in (_Token, _Manifest, _AuthFile):
        with suppress(ValidationError):
            model.model_validate_json(body)


@given(st.text(max_size=80) | st.text(alphabet='Basicer realm="\\,;=/:x ', max_size=80))
def test_any_challenge_is_read(header: str) -> None:
    assert all(scheme == scheme.lower() for scheme in challenges(header))


@given(st.text(max_size=80) | st.text(alphabet="abA.:/@-_0sha256", max_size=120))
def test_any_name_of_an_image_is_read_or_refused(text: str) -> None:
    with suppress(DppctlError):
        Reference.parse(text)
