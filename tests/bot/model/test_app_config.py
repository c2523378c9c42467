from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import DppctlError
from bot.limits import MAX_CONFIG_BYTES
from bot.model.app_config import AppConfig, parse_app_config
from bot.model.config_action import Action
from bot.model.names import RepoPath
from bot.model.registration import Target, parse_registration
from tests.support.app_configs import FROM_THE_DESIGN
from tests.support.environment import REPOSITORY


def parse(text: str) -> AppConfig:
    return parse_app_config(dedent(text), ".dppctl.yaml")


def message(text: str) -> str:
    with pytest.raises(DppctlError) as refused:
        parse(text)
    return str(refused.value)


def test_the_file_of_the_design_is_read() -> None:
    config = parse(FROM_THE_DESIGN)
    assert config.provider_settings == {"gcloudProjectId": "dppctl", "gcloudZone": "us-central1-a"}
    app = RepoPath.parse("OriHoch/dppctl/examples/customDockerImageAndContinuousDeployment")
    assert [(str(ops), action.environment, action.pipeline) for ops, action in config.actions(app)] == [
        ("OriHoch/examples/opsRepo", "staging", "all"),
        ("OriHoch/examples/opsRepo", "production", ["./one", "./two"]),
    ]
    assert list(config.actions(RepoPath.parse("somebody/else"))) == []


def test_the_example_in_the_repository_is_valid() -> None:
    text = (REPOSITORY / ".dppctl.yaml.example").read_text()
    assert len(parse(text).continuous_deployment[0].actions) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("environment: staging", "enviroment: staging", ":9: unknown key enviroment; did you mean environment?"),
        ("opsRepoPath:", "opsrepopath:", ":6: unknown key opsrepopath; did you mean opsRepoPath?"),
        ("clusterProvider: gcloud", "clusterProvider: gclod", ":1: clusterProvider: input should be 'local'"),
        ("continuousDeployment:", "continuousDeploy:", ":4: unknown key continuousDeploy; did you mean continuousDep"),
        ("gcloudZone:", "kamateraZone:", ":3: kamateraZone is for kamatera, but clusterProvider is gcloud"),
        ("branch: master", "branch: yes", ":8: continuousDeployment.actions.branch: input should be a valid string"),
        ("branch: master", "tags: false", ":8: continuousDeployment.actions: an action has either branch"),
        (
            "environment: staging",
            "environment: Staging!",
            ":9: continuousDeployment.actions.environment: string should",
        ),
        ("environment: production", "environment: staging", ":5: continuousDeployment: two actions deploy to staging"),
        (
            "opsRepoPath: OriHoch/examples/opsRepo",
            "opsRepoPath: a/b/../c",
            ":5: continuousDeployment: 'a/b/../c' is not",
        ),
        ("  opsRepoPath: OriHoch/examples/opsRepo\n", "", ":5: opsRepoPath is missing"),
        ("pipeline: all", "pipeline: yes", ":10: continuousDeployment.actions.pipeline: input should be"),
        ("appRepoPath:", "app_repo_path:", ":5: unknown key app_repo_path; did you mean appRepoPath?"),
        ("gcloudZone: us", "gcloudZone: [us", ":4: not valid YAML"),
        ("gcloudZone:", "gcloudProjectId:", ":3: 'gcloudProjectId' is there twice"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, said: str) -> None:
    assert old in FROM_THE_DESIGN
    assert message(FROM_THE_DESIGN.replace(old, new, 1)).startswith(f".dppctl.yaml{said}")


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        ("branch: feat*", "branch: feat* is a pattern, and an environment is for one branch; write its name"),
        ("branch: '*'", "branch: * is a pattern"),
        ("branch: feat?", "branch: feat? is a pattern"),
        ("branch: refs/heads/master", "branch: refs/heads/master is no branch's name; write master"),
        ("branch: HEAD", "branch: 'HEAD' can never be pushed: HEAD is no branch"),
        ("branch: ' master'", "branch: ' master' can never be pushed: ' ' is in its name"),
        ("branch: my branch", "branch: 'my branch' can never be pushed: ' ' is in its name"),
        ("branch: feature(1)", "branch: 'feature(1)' can never be pushed: '(' is in its name"),
        ("branch: a..b", "branch: 'a..b' can never be pushed: its name begins or ends with a mark, or has .. // @{"),
        ("branch: x/", "branch: 'x/' can never be pushed: its name begins or ends with a mark"),
        ("tags: 'true'", 'tags: "true" in quotes is the name of a tag; for any tag write true, without quotes'),
        ("tags: 'False'", 'tags: "False" in quotes is the name of a tag'),
        ("tags: refs/tags/v*", "tags: refs/tags/v* is no tag's name; write v*"),
        ("tags: ''", "tags: '' can match no tag"),
        ("tags: v1.0!", "tags: 'v1.0!' can match no tag; write a tag's name, with * ? and [a-z] for what varies"),
        (r"tags: '^v\d+$'", "tags: "),
        ("tags: 'v{1,2}.*'", "tags: 'v{1,2}.*' can match no tag"),
        ("tags: 'v[0-9'", "tags: 'v[0-9' can match no tag"),
        ("tags: '-*'", "tags: '-*' can match no tag"),
        ("tags: 'v*.lock'", "tags: 'v*.lock' can match no tag"),
        ("tags: 'v* '", "tags: 'v* ' can match no tag"),
    ],
)
def test_what_can_never_be_triggered_is_refused_with_its_line(trigger: str, said: str) -> None:
    text = FROM_THE_DESIGN.replace("branch: master", trigger)
    assert message(text).startswith(f".dppctl.yaml:8: continuousDeployment.actions.{said}")


@pytest.mark.parametrize(
    "trigger",
    ["branch: feature/x#1", "branch: gh-pages", "branch: übung", "tags: '*'", "tags: 'v[0-9]*'", "tags: 'v[!x]?'",
     "tags: v1.0.0", "tags: '**/x'", "tags: '*.*'", "tags: 'release-*'", "tags: '[vr]*'", "branch: 12", "tags: 1.10"],
)  # fmt: skip
def test_what_can_be_triggered_is_accepted(trigger: str) -> None:
    parse(FROM_THE_DESIGN.replace("branch: master", trigger))


def test_two_entries_cannot_deploy_to_one_environment() -> None:
    second = "".join(FROM_THE_DESIGN.partition("- appRepoPath")[1:]).replace("branch: master", "branch: other")
    assert message(FROM_THE_DESIGN + second) == (
        ".dppctl.yaml:18: two actions deploy to staging; one environment has one trigger"
    )


def test_a_list_a_huge_file_and_endless_nesting_are_refused() -> None:
    assert "expected keys and values" in message("- a")
    assert "larger than 64 KB" in message("#" * (MAX_CONFIG_BYTES + 1))

    for deep in ("[" * 60_000, "- " * 30_000, "? " * 30_000, "{a: " * 15_000):
        assert "nested too deep" in message(deep)


words = [
    "clusterProvider",
    "actions",
    ": ",
    ":\n",
    "\n",
    "  ",
    "- ",
    "? ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "&a ",
    "*a",
    "<<: ",
]
words += [
    "!!bool ",
    "!!int ",
    "!!python/x ",
    "-__",
    "2001-02-30",
    "0x",
    "'",
    '"',
    "| ",
    "#",
    "...\n",
    "\t",
    "\x85",
    "\0",
]


@given(st.lists(st.sampled_from(words), max_size=12).map("".join) | st.text(max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    message = ""
    try:
        parse_app_config(text, "file")
    except DppctlError as error:
        message = str(error)
    assert not message or (message.startswith("file:") and "\n" not in message)


@pytest.mark.parametrize(
    ("trigger", "ref", "does"),
    [
        ({"branch": "master"}, "refs/heads/master", True),
        ({"branch": "master"}, "refs/tags/master", False),
        ({"branch": "master"}, "refs/heads/master2", False),
        ({"tags": True}, "refs/tags/anything", True),
        ({"tags": True}, "refs/heads/v1", False),
        ({"tags": "v*"}, "refs/tags/v1.0.0", True),
        ({"tags": "v*"}, "refs/tags/nightly", False),
    ],
)
def test_an_action_is_triggered_by_its_own_refs_only(trigger: dict[str, object], ref: str, does: bool) -> None:
    assert Action.model_validate({**trigger, "environment": "x"}).triggered_by(ref) is does


REGISTRATION = """\
apps:
- appRepoPath: ann/app
  opsRepoPath: ann/ops/here
  environments: [staging]
"""


def test_a_registration_names_its_targets() -> None:
    app, ops = RepoPath("ann/app"), RepoPath("ann/ops", "here")
    assert parse_registration(REGISTRATION, "apps.yaml") == {Target(app, ops, "staging")}
    assert Target(app, ops, "staging").values_file == "here/environments/staging/values.auto-updated.yaml"


def test_two_apps_cannot_own_one_environment() -> None:
    other = REGISTRATION.removeprefix("apps:\n").replace("ann/app", "bob/app")
    with pytest.raises(DppctlError, match=r"apps.yaml:5: staging of ann/ops/here is already ann/app's"):
        parse_registration(REGISTRATION + other, "apps.yaml")


MERGED = """
continuousDeployment:
- &first
  appRepoPath: ann/app
  opsRepoPath: ann/ops
  actions:
  - &staging
    branch: master
    environment: staging
  - <<: *staging
    environment: other
    pipeline: ./a
- <<: [*first]
  appRepoPath: ann/other
"""


def test_what_a_merge_brings_may_be_replaced() -> None:
    first, second = parse_app_config(MERGED, ".dppctl.yaml").continuous_deployment
    assert [(action.branch, action.environment) for action in first.actions] == [
        ("master", "staging"),
        ("master", "other"),
    ]
    assert (second.app_repo_path, second.actions) == ("ann/other", first.actions)


def test_apps_yaml_may_merge_too() -> None:
    apps = "apps:\n- &a {appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [staging]}\n"
    merged = f"{apps}- <<: *a\n  opsRepoPath: ann/others\n"
    assert {str(target.ops) for target in parse_registration(merged, "apps.yaml")} == {"ann/ops", "ann/others"}
    with pytest.raises(DppctlError, match=r"^apps.yaml:5: 'opsRepoPath' is there twice"):
        parse_registration(f"{merged}  opsRepoPath: ann/more\n", "apps.yaml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    pipeline: ./a", "    environment: live", ":12: 'environment' is there twice"),
        ("    pipeline: ./a", "    <<: *staging", ":12: '<<' is there twice"),
        ("    environment: other", "    environment: Live", ":11: continuousDeployment.actions.environment: string sh"),
        ("    branch: master", "    branch: refs/heads/master", ":8: continuousDeployment.actions.branch: refs/heads"),
    ],
)
def test_what_is_wrong_beside_a_merge_is_said_with_its_line(old: str, new: str, said: str) -> None:
    assert message(MERGED.replace(old, new)).startswith(f".dppctl.yaml{said}")


@pytest.mark.parametrize("one", ["[*{0}, *{0}, *{0}]", "{{<<: [*{0}, *{0}, *{0}]}}"])
def test_aliases_of_aliases_are_refused_before_they_are_written_out(one: str) -> None:
    lines = ["x0: &x0 {a: b}"] + [f"x{n}: &x{n} {one.format(f'x{n - 1}')}" for n in range(1, 40)]
    assert "too large; 200,000 values are read at most, those of aliases included" in message("\n".join(lines))


def test_an_alias_of_itself_is_refused() -> None:
    assert "unknown key x" in message("x: &a [*a]")
    assert "continuousDeployment" in message("continuousDeployment: &a [*a]")


def test_a_thousand_apps_can_be_registered() -> None:
    entry = "- {appRepoPath: ann/app-%d, opsRepoPath: ann/ops-%d, environments: [staging, production]}\n"
    text = "apps:\n" + "".join(entry % (number, number) for number in range(1000))
    assert len(parse_registration(text, "apps.yaml")) == 2000
