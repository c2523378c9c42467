"""Deployments that wait for another environment, on SQLite and on PostgreSQL."""

from dataclasses import replace

from bot.model.decisions import CommitFacts, GateWait, Ref, Refusal, Skip
from bot.model.registration import Target
from bot.store.pending_builds import PendingBuild
from bot.store.store import Store
from bot.store.tables import Deployment
from tests.support.app_states import APP, OPS
from tests.support.reports import event, update

FACTS = CommitFacts("tree", "Add zones", "Ann")
WAIT = GateWait(Target(APP, OPS, "production"), Ref("refs/tags/v1", "c" * 40), "staging", "waits for staging", FACTS)
PLACE = ("ann/app", "production")


def newest(store: Store, environment: str = "production") -> Deployment:
    found = store.deployments.get(store.deployments.newest(1, environment=environment)[0].id)
    assert found
    return found


def test_what_waits_is_said_once_and_again_when_there_is_something_new_to_say(store: Store) -> None:
    assert [store.gates.wait(WAIT), store.gates.wait(WAIT)] == [True, False]
    assert store.gates.wait(replace(WAIT, message="waits for staging, which is held: elections"))
    found = newest(store)
    assert (found.state, found.gate, found.tree, found.subject) == ("waiting", "staging", "tree", "Add zones")
    assert len(found.events) == 2
    assert len(store.deployments.newest()) == 1


def test_what_waited_becomes_what_comes_of_it(store: Store) -> None:
    endings = {
        "building": lambda: store.builds.record(PendingBuild(*PLACE, WAIT.ref.name, WAIT.ref.commit), "building x"),
        "refused": lambda: store.deployments.refuse(Refusal(APP, "production", WAIT.ref, "these files failed")),
        "skipped": lambda: store.deployments.skip(Skip(APP, "production", WAIT.ref, "held: elections")),
        "waiting": lambda: store.deployments.record_commit("e" * 40, *PLACE, WAIT.ref.name, WAIT.ref.commit),
    }
    for state, end in endings.items():
        store.gates.wait(WAIT)
        waited = newest(store).id
        end()
        found = newest(store)
        assert (found.id, found.state, found.gate, found.tree) == (waited, state, None, "tree")
        store.builds.end(waited, "superseded", "")
    assert store.gates.news() == {}


def test_a_newer_one_supersedes_what_waits_and_leaves_what_runs(store: Store) -> None:
    store.deployments.report(event("started", environment="production"))
    store.gates.wait(WAIT)
    store.gates.wait(replace(WAIT, ref=Ref("refs/tags/v2", "d" * 40)))
    states = [(found.ref, found.state) for found in reversed(store.deployments.newest())]
    assert states == [("refs/heads/master", "running"), ("refs/tags/v1", "superseded"), ("refs/tags/v2", "waiting")]
    store.gates.keep("ann/app", {"staging"}, [])
    store.gates.keep("ann/app", {"production"}, [("production", "refs/tags/v2", "d" * 40)])
    assert newest(store).state == "waiting"
    store.gates.keep("ann/app", {"production"}, [])
    assert (newest(store).state, newest(store).gate) == ("superseded", None)
    assert store.gates.wait(replace(WAIT, ref=Ref("refs/tags/v2", "d" * 40)))  # it is due once more
    assert newest(store).state == "waiting"


def test_news_are_what_waits_and_what_ended_where_it_waits_for(store: Store) -> None:
    store.deployments.report(event("started"))
    assert store.gates.news() == {}
    store.gates.wait(WAIT)
    before = store.gates.news()
    assert [*before] == ["ann/app"]
    store.deployments.report(event("progress", message="100 rows"))
    store.deployments.report(event("succeeded", "e", environment="production"))
    store.gates.wait(replace(WAIT, ref=Ref("refs/tags/v2", "d" * 40)))
    waits = store.gates.news()
    assert waits != before
    store.deployments.report(event("succeeded"))
    assert store.gates.news() != waits


def test_runs_are_those_of_the_same_files(store: Store) -> None:
    number = store.deployments.record(replace(update(), facts=FACTS), "a" * 40)
    store.deployments.record(replace(update(), facts=CommitFacts("other")), "b" * 40)
    store.deployments.report(event("failed", "a"))
    (run,) = store.gates.runs("ann/app", "staging", "tree")
    assert (run.id, run.state, run.has_ended) == (number, "failed", True)
    assert store.gates.runs("ann/app", "production", "tree") == []


def test_what_a_crash_left_unknown_of_commits_is_noted_later(store: Store) -> None:
    store.deployments.report(event("started"))
    assert newest(store, "staging").tree is None
    store.deployments.describe("ann/app", {"c" * 40: FACTS, "d" * 40: CommitFacts("other")})
    found = newest(store, "staging")
    assert (found.tree, found.subject, found.author) == ("tree", "Add zones", "Ann")
    # Another deployment of the commit has the same.
    store.deployments.record_commit("e" * 40, *PLACE, "refs/tags/v1", "c" * 40)
    assert newest(store).tree == "tree"
