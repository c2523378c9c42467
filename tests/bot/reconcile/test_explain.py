"""Why a pushed ref deploys nothing, on plain data."""

from datetime import UTC, datetime

import pytest

from bot.model.app_config import AppConfig, parse_app_config
from bot.model.app_state import AppState, RefState, TargetState
from bot.model.decisions import Ref
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.values import Source, Values
from bot.reconcile.decide import choose
from bot.reconcile.explain import explain

APP, OPS = RepoPath("ann/app"), RepoPath("ann/ops")
ALLOWED = frozenset(Target(APP, OPS, name) for name in ("staging", "production"))
NOON = datetime(2026, 1, 1, tzinfo=UTC)


def config(*actions: str, app: str = "ann/app") -> AppConfig:
    """Read a `.dppctl.yaml` with these actions, each in YAML's flow style."""
    lines = "".join(f"  - {action}\n" for action in actions)
    text = f"continuousDeployment:\n- appRepoPath: {app}\n  opsRepoPath: ann/ops\n  actions:\n{lines}"
    return parse_app_config(text, ".dppctl.yaml")


USUAL = config("{branch: master, environment: staging}", "{tags: true, environment: production}")


def at(name: str, says: AppConfig | str | None = USUAL, minute: int = 1, commit: str = "a") -> RefState:
    appeared = NOON.replace(minute=minute) if name.startswith("tags/") else None
    return RefState(Ref(f"refs/{name}", commit * 40), 0, says, appeared)


def why(name: str, *refs: RefState, runs: dict[str, str] | None = None, left_out: dict[str, str] | None = None) -> str:
    """Explain a ref of an app with these refs. runs: the ref that each environment runs."""
    targets = {
        Target(APP, OPS, environment): TargetState(
            Values(image=None, source=Source(repository="ann/app", path="", ref=ref, commit="a" * 40), pipelines=())
        )
        for environment, ref in (runs or {}).items()
    }
    old = frozenset(found.ref for found in refs if found.appeared == NOON)
    state = AppState(APP, ALLOWED, refs, old, targets=targets, left_out=left_out or {})
    return "\n".join(explain(state, f"refs/{name}", choose(state)))


def test_what_is_deployed_needs_no_explanation() -> None:
    refs = at("heads/master"), at("tags/v1")
    assert why("heads/master", *refs) == why("tags/v1", *refs) == ""


def test_a_branch_that_no_action_names_is_told_which_there_are() -> None:
    assert why("heads/feature", at("heads/master"), at("heads/feature")) == (
        "no action of .dppctl.yaml fits branch feature: branch master to staging, any tag to production"
    )


def test_a_branch_that_was_renamed_is_told_that_the_old_one_is_gone() -> None:
    assert why("heads/main", at("heads/main")) == (
        "no action of .dppctl.yaml fits branch main: branch master to staging (there is no such branch), "
        "any tag to production"
    )
    gone = why("heads/master", at("heads/main"), runs={"staging": "refs/heads/master"})
    assert gone == "branch master is not there any more; staging still runs what it brought"


@pytest.mark.parametrize(
    ("name", "action", "said"),
    [
        ("tags/release-1", '{tags: "v*", environment: production}', "tags v* to production"),
        ("tags/V1", '{tags: "v*", environment: production}', "tags v* to production (upper and lower case count)"),
        ("heads/v1", '{tags: "v*", environment: production}', "tags v* to production (v1 is a branch)"),
        ("tags/master", "{branch: master, environment: staging}", "branch master to staging (master is a tag)"),
        ("heads/Main", "{branch: main, environment: staging}", "branch main to staging (upper and lower case count)"),
        ("heads/x", '{tags: "*", environment: production}', "tags * to production"),
    ],
)
def test_what_is_nearly_right_about_an_action_is_told(name: str, action: str, said: str) -> None:
    assert why(name, at(name, config(action)), at("heads/master")).endswith(f": {said}")


def test_only_some_of_many_actions_are_named() -> None:
    many = config(*(f"{{branch: b{number}, environment: e{number}}}" for number in range(50)))
    assert why("heads/x", at("heads/x", many)).endswith("branch b9 to e9 (there is no such branch) and 40 more")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tags/release(1)", "tag release(1) cannot be deployed: '(' is in its name; names that are deployed have"),
        ("tags/v1.0!", "tag v1.0! cannot be deployed: '!' is in its name"),
        ("tags/🚀", "tag 🚀 cannot be deployed: '🚀' is in its name"),
        ("heads/feature{1}", "branch feature{1} cannot be deployed: '{' is in its name"),
        ("tags/" + "x" * 230, f"tag {'x' * 230} cannot be deployed: its name has 230 characters"),
        ("tags/-x", "tag -x cannot be deployed: its name begins or ends with a mark"),
    ],
)
def test_a_name_that_cannot_be_deployed_is_told_why(name: str, said: str) -> None:
    assert why(name).startswith(said)


def test_what_is_neither_a_branch_nor_a_tag_is_told_so() -> None:
    assert why("notes/commits") == "refs/notes/commits is neither a branch nor a tag"


def test_a_tag_of_something_else_than_a_commit_says_so() -> None:
    left_out = {"refs/tags/v1": "it names a tree, and only a commit can be deployed"}
    assert why("tags/v1", left_out=left_out) == (
        "tag v1 cannot be deployed: it names a tree, and only a commit can be deployed"
    )


def test_without_a_file_without_actions_and_with_those_of_another_app() -> None:
    assert why("heads/x", at("heads/x", None)) == (
        f"branch x: there is no .dppctl.yaml at {'a' * 12}, so nothing is deployed; `dppctl init` writes one"
    )
    assert why("heads/x", at("heads/x", AppConfig())).startswith("branch x: .dppctl.yaml has no continuousDeployment")
    other = config("{branch: x, environment: staging}", app="upstream/app")
    assert why("heads/x", at("heads/x", other)) == (
        "branch x: continuousDeployment in .dppctl.yaml is for upstream/app, not for ann/app"
    )


def test_a_refused_file_is_told_also_for_an_old_tag() -> None:
    refs = at("tags/v1", "bad 1", 1), at("tags/v2", "bad 2", 2)
    assert why("tags/v1", *refs) == "tag v1 is refused: bad 1"
    assert why("tags/v2", *refs) == "refused, bad 2"


def test_an_older_tag_is_told_which_one_is_newer() -> None:
    refs = at("tags/v1", minute=1), at("tags/v2", minute=2)
    assert why("tags/v1", *refs) == "production: not deployed, tag v2 appeared later, or has the higher version"


def test_a_tag_of_the_baseline_is_told_how_it_is_deployed() -> None:
    assert why("tags/v1", at("tags/v1", minute=0)) == (
        "production: not deployed, tag v1 was there before the app was registered; "
        "`dppctl deploy ann/app production --ref v1` deploys it"
    )


def test_two_branches_for_one_environment_are_both_told() -> None:
    feature = config("{branch: feature, environment: staging}")
    refs = at("heads/master"), at("heads/feature", feature)
    said = (
        "staging: refused, 2 branches are for staging, each by its own .dppctl.yaml: feature, master; leave it to one"
    )
    for name in ("heads/feature", "heads/master"):
        assert why(name, *refs).startswith(said)
    tags = config("{tags: true, environment: staging}")
    assert "branches count before tags" in why("tags/v1", *refs, at("tags/v1", tags))


def test_a_tag_for_what_a_branch_deploys_is_told_so() -> None:
    tags = config("{tags: true, environment: staging}")
    assert why("tags/v1", at("heads/master"), at("tags/v1", tags)) == (
        "staging: not deployed, branch master is for it too, by its own .dppctl.yaml; branches count before tags"
    )


def test_an_environment_that_is_not_registered_is_told_also_for_an_old_tag() -> None:
    live = config("{tags: true, environment: live}")
    for name in ("tags/v1", "tags/v2"):
        assert "not registered for live of ann/ops" in why(name, at("tags/v1", live), at("tags/v2", live, 2))
