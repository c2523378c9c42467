"""What Kamatera's API refuses is said in one line; what passes is tried again, unless it would be done twice."""

from pathlib import Path
from typing import Any

import pytest

from cli.errors import InputError
from cli.providers.kamatera.client import (
    ApiKey,
    KamateraAwayError,
    KamateraClient,
    KamateraRefusedError,
    WrongApiKeyError,
    reason,
)
from tests.support.kamatera import ACCOUNT, SECRET, FakeKamatera


@pytest.fixture
def client(kamatera: FakeKamatera) -> KamateraClient:
    assert kamatera
    return KamateraClient(ApiKey(ACCOUNT, SECRET))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"message": "No servers found (name='x')"}, "No servers found (name='x')"),
        ({"message": '{"errors":[{"code":115,"info":"error occurred"}]}'}, "error occurred (115)"),
        ({"errors": [{"code": 1, "info": "quota\nexceeded"}, {"info": "b"}]}, "quota exceeded (1); b (?)"),
        ({"responses": [{"errors": [{"code": 5, "info": "busy"}]}]}, "busy (5)"),
        ({"message": ""}, ""),
        ("two\nlines", "two lines"),
        ([1], ""),
        (None, ""),
    ],
)
def test_kamateras_own_words_are_one_line(found: object, words: str) -> None:
    assert reason(found) == words


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (
            401,
            {"message": "bad"},
            WrongApiKeyError,
            r"does not take this Account ID with this Secret \(bad\); they are",
        ),
        (403, {"message": "no rights"}, KamateraRefusedError, "Kamatera refuses: no rights"),
        (429, "", KamateraAwayError, r"too many requests \(429\); try again in a few minutes"),
        (502, "<html>Bad Gateway", KamateraAwayError, "answers 502; try again later"),
        (500, {"message": "Server name is in use"}, KamateraRefusedError, "Kamatera refuses: Server name is in use"),
        (200, {"errors": [{"code": 20, "info": "error occurred"}]}, KamateraRefusedError, r"error occurred \(20\)"),
        (200, {"command": 1}, KamateraRefusedError, "answers otherwise than it was when dppctl was made"),
        (200, "no JSON", KamateraRefusedError, "answers otherwise than it was when dppctl was made"),
    ],
)
def test_each_error_is_one_line(
    client: KamateraClient, kamatera: FakeKamatera, status: int, body: Any, kind: type[Exception], words: str
) -> None:
    kamatera.refuses = [(status, body)]
    with pytest.raises(kind, match=words) as refused:
        client.terminate("id")
    assert "\n" not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_what_only_reads_is_tried_again_and_what_makes_a_server_is_not(
    client: KamateraClient, kamatera: FakeKamatera
) -> None:
    kamatera.refuses = [(503, ""), (429, ""), (502, "")]
    assert [each.id for each in client.datacenters()] == ["EU", "IL"]
    kamatera.refuses = [(503, ""), (503, "")]
    with pytest.raises(KamateraAwayError):
        client.create_server({})
    assert len(kamatera.refuses) == 1


def test_a_name_is_no_pattern_of_others(client: KamateraClient, kamatera: FakeKamatera) -> None:
    kamatera.add_server("dppctl")
    kamatera.add_server("dppctl-2")
    assert [each.name for each in client.servers("dppctl")] == ["dppctl"]
    assert client.servers("nobody") == []
    kamatera.refuses = [(500, {"message": "No servers found (name='nobody')"})]  # of an older server
    assert client.servers("nobody") == []


def test_without_a_network_the_address_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home
    monkeypatch.setenv("KAMATERA_API_URL", "http://127.0.0.1:1")
    with pytest.raises(KamateraAwayError, match=r"API \(http://127.0.0.1:1\) does not answer: .*refused"):
        KamateraClient(ApiKey("a", SECRET)).datacenters()
    assert SECRET not in repr(ApiKey("a", SECRET))
    for url in ("http://cloudcli.example.org", "ftp://127.0.0.1", "cloudcli"):
        monkeypatch.setenv("KAMATERA_API_URL", url)
        with pytest.raises(InputError, match=f"KAMATERA_API_URL '{url}': must be https"):
            KamateraClient(ApiKey("a", SECRET))
