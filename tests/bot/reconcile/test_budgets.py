"""An app that is too much for a look at it is refused, and the others have nothing to do with it."""

import pytest

from bot.loop import Loop
from bot.model.names import RepoPath
from bot.model.registration import Target
from tests.support.forge import CONFIG, SPEC
from tests.support.world import OPS, World

BAD = {
    "bomb": ({f"{number}/pipeline-spec.yaml": SPEC for number in range(9)}, "there are more than 12 files and folders"),
    "patterns": (
        {".dpp_spec_ignore": " ".join(f"*{number}*x" for number in range(1_001))},
        ".dpp_spec_ignore: 1,001 patterns, and 1,000 are read at most",
    ),
    "base-60": ({".dppctl.yaml": "gcloudX: 1" + ":1" * 20_000}, ".dppctl.yaml:1: gcloudX is for gcloud"),
    "values": (
        {"pipeline-spec.yaml": "one: [" + "a," * 200_001 + "]"},
        "pipeline-spec.yaml:1: too large; 200,000 values are read at most",
    ),
}


def test_apps_that_are_too_much_are_refused_with_the_limit_and_the_others_are_deployed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.git.budget.MAX_PATHS", 12)
    assert world.ops.log() == ["start"]
    targets = {name: Target(RepoPath(f"bob/{name}"), OPS, name) for name in (*BAD, "good")}
    for name, target in targets.items():
        config = CONFIG.replace("ann/app", str(target.app)).replace("staging", name).replace("production", f"{name}-2")
        files = {"pipeline-spec.yaml": SPEC, ".dppctl.yaml": config, **BAD.get(name, ({}, ""))[0]}
        world.forge.repository(str(target.app)).push(files)
    loop = Loop(world.settings, frozenset(targets.values()), world.git, world.store, lambda: None)
    results = loop.reconcile({target.app.repository for target in targets.values()})
    assert {result.failure for result in results.values()} == {None}
    found = {deployment.app: deployment for deployment in world.store.deployments.newest()}
    assert found["bob/good"].ops_commit
    for name, (_, said) in BAD.items():
        assert found[f"bob/{name}"].state == "refused"
        assert (found[f"bob/{name}"].error or "").startswith(said)
    loop.close()
