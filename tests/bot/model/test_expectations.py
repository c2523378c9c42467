"""`expect:` in `.dppctl.yaml`: what can be expected, and what is wrong in it, with its line."""

from textwrap import dedent

import pytest

from bot.errors import DppctlError
from bot.model.app_config import AppConfig, parse_app_config
from bot.model.expectations import Expectation
from bot.parsing.parser import Parser

_TEXT = """\
expect:
- minRows: 1
- {resource: committees, maxDropPercent: 20, columns: keep, notNull: [id, name], unique: [id]}
continuousDeployment:
- appRepoPath: ann/data
  opsRepoPath: ann/ops
  actions:
  - branch: master
    environment: staging
  - tags: true
    environment: production
    after: staging
    expect:
    - maxDropPercent: 2.5
      columns: keep
      comparedWith: staging
"""


def _parse(text: str = _TEXT) -> AppConfig:
    return parse_app_config(dedent(text), ".dppctl.yaml")


def test_expectations_are_read_with_their_lines() -> None:
    config = _parse()
    assert [(found.line, found.resource, found.min_rows) for found in config.expect] == [
        (2, None, 1),
        (3, "committees", None),
    ]
    assert config.expect[1].unique == ("id",)
    staging, production = config.continuous_deployment[0].actions
    assert staging.expect is None
    assert production.expect is not None
    assert [(found.line, found.compared_with, found.max_drop_percent) for found in production.expect] == [
        (14, "staging", 2.5)
    ]


def test_the_process_that_parses_hands_all_of_it_on() -> None:
    assert Parser().read_config(_TEXT.encode(), ".dppctl.yaml") == _parse()


def test_an_empty_list_is_another_thing_than_none() -> None:
    text = _TEXT.replace("    after: staging\n    expect:\n", "    expect: []\n").partition("    - maxDrop")[0]
    assert _parse(text).continuous_deployment[0].actions[1].expect == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("maxDropPercent: 20", "maxDropPercent: 300", ":3: expect.maxDropPercent: input should be less than or equal"),
        ("maxDropPercent: 20", "maxDropPercent: -1", ":3: expect.maxDropPercent: input should be greater than or eq"),
        ("maxDropPercent: 20", "maxDropPercent: .inf", ":3: expect.maxDropPercent: input should be"),
        ("maxDropPercent: 20", "maxDropPercent: 20%", ":3: expect.maxDropPercent: input should be a valid"),
        ("maxDropPercent: 20", "maxDropPercent: true", ":3: expect.maxDropPercent: input should be a valid"),
        ("minRows: 1", "minRows: -1", ":2: expect.minRows: input should be greater than or equal to 0"),
        ("minRows: 1", "minRows: many", ":2: expect.minRows: input should be a valid integer"),
        ("minRows: 1", "minRows: 1.5", ":2: expect.minRows: input should be a valid integer"),
        ("minRows: 1", "minrows: 1", ":2: unknown key minrows; did you mean minRows?"),
        ("minRows: 1", "minRows: 1\n  line: 3", ":3: unknown key line; known here: columns, comparedWith, maxDrop"),
        ("minRows: 1", "resource: members", ":2: expect: an expectation has at least one of minRows, maxDropPercent"),
        ("minRows: 1", "{minRows: 1, comparedWith: staging}", ":2: expect: comparedWith is for maxDropPercent and"),
        ("minRows: 1", "columns: all", ":2: expect.columns: input should be 'keep'"),
        ("[id, name]", "id", ":3: expect.notNull: input should be a valid tuple"),
        ("[id, name]", "[]", ":3: expect.notNull: tuple should have at least 1 item"),
        ("[id, name]", "[id, name, id]", ":3: expect.notNull: id stands there twice"),
        ("unique: [id]", "unique: [[id]]", ":3: expect.unique: input should be a valid string"),
        ("expect:\n", "build: {}\nexpect: {minRows: 1}\nx:\n", ":2: expect: input should be a valid tuple"),
        ("- minRows: 1", "- minRows: 1\n- minRows: 1", ":3: the same expectation stands in line 2 already"),
        (
            "      comparedWith: staging",
            "      comparedWith: stagin",
            ":16: no action deploys to stagin; environments of this file: production, staging",
        ),
        (
            "      comparedWith: staging",
            "      comparedWith: Staging!",
            ":16: continuousDeployment.actions.expect.comparedWith: string should match pattern",
        ),
        ("    after: staging", "    after: production", ":10: continuousDeployment.actions: after: production is the"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, said: str) -> None:
    assert old in _TEXT
    with pytest.raises(DppctlError) as refused:
        _parse(_TEXT.replace(old, new, 1))
    assert str(refused.value).startswith(f".dppctl.yaml{said}")


@pytest.mark.parametrize(
    ("pattern", "name"), [(None, "zones"), ("zones", "zones"), ("z*", "zones"), ("[yz]ones", "zones")]
)
def test_a_pattern_says_which_resources_are_meant(pattern: str | None, name: str) -> None:
    found = Expectation.model_validate({"resource": pattern, "minRows": 1})
    assert found.is_for(name)
    assert found.is_for("Zones") == (pattern is None)
