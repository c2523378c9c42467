"""Whom the lists let in, and what they let people do."""

import pytest

from bot.model.account import SCOPES
from cluster.auth.admission import Lists, PersonFacts, granted_scopes, is_listed

ANN = PersonFacts("github:583231", "OriHoch", frozenset({"org:hasadna", "domain:example.org"}))


@pytest.mark.parametrize(
    "entry", ["github:583231", "OriHoch", "orihoch", "org:hasadna", "org:Hasadna", "domain:example.org"]
)
def test_an_entry_names_a_person_by_number_login_or_group(entry: str) -> None:
    assert is_listed([entry], ANN)


@pytest.mark.parametrize("entry", ["github:5832310", "hasadna", "google:583231", "", "org:", "example.org"])
def test_another_entry_does_not(entry: str) -> None:
    assert not is_listed([entry], ANN)


def test_a_login_that_is_not_the_persons_own_is_never_listed() -> None:
    assert not is_listed(["OriHoch", ""], PersonFacts("github:9"))


def test_without_lists_nobody_gets_in_but_admins() -> None:
    assert granted_scopes(Lists(), ANN) == frozenset()
    assert granted_scopes(Lists(admins=("github:583231",)), ANN) == frozenset(SCOPES)


@pytest.mark.parametrize(
    "lists", [Lists(users=("OriHoch",)), Lists(organizations=("hasadna",)), Lists(domains=("Example.org",))]
)
def test_who_is_listed_may_all_but_what_admins_may(lists: Lists) -> None:
    assert granted_scopes(lists, ANN) == frozenset(SCOPES) - {"admin"}
    assert granted_scopes(lists, PersonFacts("github:9", "ben")) == frozenset()


def test_everybody_may_run_where_that_is_said_and_be_no_admin() -> None:
    everybody = Lists(users=("*", "OriHoch"))
    assert granted_scopes(everybody, PersonFacts("github:9", "ben")) == {"read", "run", "ssh"}
    assert granted_scopes(everybody, ANN) == frozenset(SCOPES) - {"admin"}
    assert granted_scopes(Lists(admins=("*",)), PersonFacts("github:9", "ben")) == frozenset()
