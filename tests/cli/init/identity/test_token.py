"""What a token lacks."""

from datetime import UTC, datetime, timedelta

import pytest

from cli.init.identity.token import Access, Token, problems, summary

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEEDED: dict[str, Access] = {"ann/data": "write", "ann/ops": "write"}
ALL: dict[str, Access] = {"ann/data": "write", "ann/ops": "admin"}


@pytest.mark.parametrize(
    "token",
    [
        Token("bot", frozenset({"repo"}), None, ALL),
        Token("bot", None, NOW + timedelta(days=90), ALL),
        Token("bot", frozenset({"public_repo", "gist"}), None, ALL),
    ],
)
def test_a_token_that_may_do_all_lacks_nothing(token: Token) -> None:
    assert problems(token, NEEDED, NOW) == []


def test_each_thing_that_is_missing_is_named_with_what_to_do() -> None:
    token = Token("bot", frozenset({"gist"}), NOW - timedelta(days=1), {"ann/data": "read"})
    to_do = "invite it there with that role, or select the repository for the token"
    assert problems(token, NEEDED, NOW) == [
        "the token of bot expired on 2025-12-31; make a new one",
        "the token of bot lacks the scope `repo` (it has: gist); make one that has it",
        f"bot has only read access to ann/data and needs write; {to_do}",
        f"bot has no access to ann/ops and needs write; {to_do}",
    ]


def test_the_summary_says_whose_it_is_what_it_reaches_and_until_when() -> None:
    assert summary(Token("bot", None, NOW + timedelta(days=3), ALL), NOW) == (
        "the token is bot's (fine-grained); ann/data: write, ann/ops: admin; expires soon on 2026-01-04"
    )
    assert summary(Token("bot", frozenset({"repo"}), None, ALL), NOW) == (
        "the token is bot's (scopes repo); ann/data: write, ann/ops: admin"
    )
