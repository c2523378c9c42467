"""What the operator answers, and what people are told of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from cluster.proxy.operator_client import OperatorClient
from cluster.proxy.refusals import RefusalError
from tests.support.asynchronous import run_async
from tests.support.serving import Reply, Request, serving


@contextmanager
def refusal(url: str, folder: Path) -> Iterator[RefusalError]:
    """Ask, and give what people would be answered."""
    (folder / "token").write_text("t0k3n\n")

    async def ask() -> object:
        async with aiohttp.ClientSession() as session:
            return await OperatorClient(session, url, folder / "token").database("uid")

    with pytest.raises(RefusalError) as raised:
        run_async(ask())
    assert "\n" not in str(raised.value)
    yield raised.value


@pytest.mark.parametrize(
    ("status", "body", "answered", "code", "said"),
    [
        (507, {"error": "the operator's disk is full", "code": "disk-full", "hint": "wait"}, 507, "disk-full", "disk"),
        (
            413,
            {"error": "larger than it may be", "code": "workload-too-large", "hint": ""},
            413,
            "workload-too",
            "large",
        ),
        (400, "no JSON of ours", 400, "refused", "it answers 400"),
        (401, {"error": "no", "code": "unauthorized", "hint": ""}, 503, "operator-away", "DPPCTL_OPERATOR_TOKEN_FILE"),
        (500, "<html>", 503, "operator-away", "it answers 500"),
        (302, {}, 503, "operator-away", "it answers 302"),
        (200, [], 503, "operator-away", "no JSON object"),
    ],
)
def test_what_it_refuses_is_told_where_it_is_about_the_request(
    tmp_path: Path, status: int, body: object, answered: int, code: str, said: str
) -> None:
    seen: list[str | None] = []

    def answer(request: Request) -> Reply:
        seen.append(request.authorization)
        headers = {"Location": "/elsewhere", "Content-Type": "application/json"}
        return Reply(status, headers, json.dumps(body).encode())

    with serving(answer) as address, refusal(f"http://{address}", tmp_path) as error:
        assert (error.status, error.code[: len(code)]) == (answered, code)
        assert said in str(error)
    assert seen == ["Bearer t0k3n"]  # and nothing elsewhere


def test_an_operator_that_is_away_is_asked_again_later(tmp_path: Path) -> None:
    with refusal("http://127.0.0.1:9", tmp_path) as error:
        assert (error.status, error.headers) == (503, {"Retry-After": "2"})


def test_a_token_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    async def ask() -> object:
        async with aiohttp.ClientSession() as session:
            return await OperatorClient(session, "http://127.0.0.1:9", tmp_path / "none").has_workload("0")

    with pytest.raises(RefusalError, match="none: No such file"):
        run_async(ask())
