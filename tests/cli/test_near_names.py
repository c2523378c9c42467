"""Wherever a name is refused that nothing has, the one that was probably meant is said, in the same words."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.errors import DppctlError
from bot.limits import MAX_KNOWN_NAMES
from bot.near_names import name_hint, nearest
from bot.store.store import Store
from cli.main import dppctl
from cluster.local.sessions import record
from cluster.proxy.tokens import make_token, write_tokens
from tests.support.workloads import write_files

ACTIONS = "[{branch: main, environment: staging}, {tags: true, environment: production}]"
FILES = {
    "apps.yaml": "apps:\n- {appRepoPath: ann/data, opsRepoPath: ann/ops, environments: [staging, production]}\n",
    ".env": "DPPCTL_STATE_DIR=state\n",
    ".dppctl.yaml": f"continuousDeployment:\n- {{appRepoPath: ann/data, opsRepoPath: ann/ops, actions: {ACTIONS}}}\n",
    "pipeline-spec.yaml": "countries-to-db:\n  pipeline:\n  - run: update_package\n",
    "config/dppctl/clusters.json": '{"current": "local", "clusters": {"office": {"url": "https://dppctl.example.org"}}}',
}
APP = "ann/dta is not registered; did you mean ann/data? known: ann/data"
STAGING = "ann/data is not registered for stagin; did you mean staging? known: production, staging"
REFUSALS = {
    "run ./countris-to-db": "no such pipeline; did you mean ./countries-to-db? known: ./countries-to-db",
    "run --cluster offce": "there is no cluster offce; did you mean office? known: local, office; `dppctl login",
    "run --cluster office --environment prod": "deploys to no such environment; did you mean production? known: ",
    "use ofice": "there is no cluster ofice; did you mean office? known: local, office; `dppctl login",
    "init kamatra": "there is no cluster provider kamatra; did you mean kamatera? known: gcloud, kamatera, ",
    "rollback ann/dta staging": APP,
    "rollback ann/data stagin": STAGING,
    "promote ann/data stagin production": STAGING,
    "promote ann/data production stagin": STAGING,
    "hold ann/dta staging -m x": APP,
    "release ann/data stagin": STAGING,
    "deploy ann/data stagin": STAGING,
    "open ann/dta staging": APP,
    "open ann/data stagin": STAGING,
    "logs ann/dta": APP,
    "logs ann/data stagin": STAGING,
    "logout ofice": "there is no cluster ofice; did you mean office? known: local, office; ",
    "list environments --app ann/dta": APP,
    "list deployments --app ann/dta": APP,
    "list deployments --environment stagin": "no app is registered for stagin; did you mean staging? known: ",
    "token revoke an --file tokens.json": "there is no token 'an'; did you mean ann? known: ann",
    "stop {pod}x": "no pod '{pod}x' here; did you mean {pod}? known: {pod}",
    "ssh {pod}x": "no pod '{pod}x' here; did you mean {pod}? known: {pod}",
    "list pds": "there is no command 'pds'; did you mean pods?",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = write_files(tmp_path_factory.mktemp("near"), FILES)
    write_tokens(folder / "tokens.json", [make_token("ann", "ann", ("read",))[1]])
    with pytest.MonkeyPatch.context() as person:
        person.chdir(folder)
        person.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        person.setenv("DPPCTL_DATA_DIR", str(folder / "data"))
        (folder / "state").mkdir()
        Store(f"sqlite:///{folder}/state/dppctl.sqlite").close()
        yield folder


@pytest.mark.parametrize("typed", REFUSALS)
def test_what_was_probably_meant_is_said(folder: Path, typed: str) -> None:
    assert folder == Path.cwd()
    pod = next(iter(record.living_names()), "") or record.create("db").name
    done = CliRunner().invoke(dppctl, typed.format(pod=pod).split())
    assert done.exit_code != 0
    said = str(done.exception) if isinstance(done.exception, DppctlError) else done.output
    assert REFUSALS[typed].format(pod=pod) in said


def test_a_part_of_one_name_alone_is_near_it() -> None:
    known = ["hasadna/knesset-data-pipelines", "ann/data"]
    assert nearest("knesset", known) == "hasadna/knesset-data-pipelines"
    assert nearest("a", known) is None
    assert nearest("xyz", known) is None
    assert nearest("", ["a"]) is None


def test_of_many_names_the_first_are_listed() -> None:
    assert name_hint("xyz", []) == "known: nothing"
    assert name_hint("xyz", map(str, range(MAX_KNOWN_NAMES + 2))).endswith(" and 2 more")
