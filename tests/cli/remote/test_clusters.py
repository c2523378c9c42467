"""Which cluster a command works on, and `dppctl login` and `dppctl use`, which say so."""

import json
from collections.abc import Callable
from pathlib import Path

import keyring
import pytest

from bot.errors import DppctlError
from cli.errors import InputError
from cli.remote import tokens
from cli.remote.client import connect
from cli.remote.clusters import APP_CONFIG, NamedCluster, add_cluster, choose_cluster, remove_cluster, use_cluster
from tests.support.memory_keyring import MemoryKeyring
from tests.support.serving import Reply, Request, serving

Person = Callable[..., str]
OFFICE = NamedCluster("office", "https://dppctl.example.org")
ABOUT = {"name": "office", "version": "1", "user": "token:ann", "scopes": ["run", "read"], "pools": []}


def proxy(request: Request) -> Reply:
    if request.authorization != "Bearer dppctl_right":
        return Reply(401, {}, b'{"error": "the token is wrong", "code": "unauthorized", "hint": ""}')
    return Reply(200, {}, json.dumps(ABOUT).encode())


def test_a_flag_wins_over_the_app_and_the_app_over_what_was_chosen(settings_folder: Path, tmp_path: Path) -> None:
    assert settings_folder
    app = tmp_path / "app"
    app.mkdir()
    assert choose_cluster(None, app) is None
    for name in ("office", "home", "lab"):
        add_cluster(NamedCluster(name, f"https://{name}.example.org"))
    use_cluster("lab")
    assert choose_cluster(None, app) == NamedCluster("lab", "https://lab.example.org")
    (app / APP_CONFIG).write_text("clusterProvider: local\n")
    assert choose_cluster(None, app) == NamedCluster("lab", "https://lab.example.org")
    (app / APP_CONFIG).write_text("cluster: home\n")
    assert choose_cluster(None, app) == NamedCluster("home", "https://home.example.org")
    assert choose_cluster("office", app) == NamedCluster("office", "https://office.example.org")
    assert choose_cluster("local", app) is None
    (app / APP_CONFIG).write_text("cluster: local\n")
    assert choose_cluster(None, app) is None
    (app / APP_CONFIG).write_text("cluster: theirs\n")
    with pytest.raises(DppctlError, match=r"\.dppctl\.yaml names the cluster theirs, which is not known here"):
        choose_cluster(None, app)
    (app / APP_CONFIG).write_text("cluster: a/b\n")
    with pytest.raises(DppctlError, match=r"\.dppctl\.yaml:1: cluster: "):
        choose_cluster(None, app)
    remove_cluster("lab")
    assert choose_cluster(None, tmp_path) is None


def test_a_config_that_cannot_be_read_is_not_taken_for_one_without_a_cluster(
    settings_folder: Path, tmp_path: Path
) -> None:
    assert settings_folder
    (tmp_path / "utf16").mkdir()
    (tmp_path / "utf16" / APP_CONFIG).write_text("cluster: office\n", encoding="utf-16")
    (tmp_path / "folder" / APP_CONFIG).mkdir(parents=True)
    for app, said in (
        ("utf16", "not UTF-8; save"),
        ("folder", "cannot be read, and may name a cluster: Is a directory"),
    ):
        with pytest.raises(InputError, match=said):
            choose_cluster(None, tmp_path / app)
        assert choose_cluster("local", tmp_path / app) is None


def test_a_name_that_is_not_known_gets_the_nearest_one(person: Person) -> None:
    add_cluster(OFFICE)
    said = person("use", "offise")
    assert said.startswith(
        "refused: there is no cluster offise; did you mean office? known: local, office; `dppctl login"
    )


def test_login_keeps_a_token_that_the_cluster_takes(person: Person, settings_folder: Path) -> None:
    with serving(proxy) as address:
        url = f"http://{address}"
        refused = person("login", "office", "--url", url, stdin="dppctl_wrong\n")
        assert refused == "refused: the token is wrong; `dppctl login office` takes another token"
        assert not settings_folder.exists()
        said = person("login", "office", "--url", f"{url}/", stdin="dppctl_right\n")
        assert said.splitlines()[0] == "Logged in to office as token:ann (run, read)"
        assert tokens.read_token("office") == "dppctl_right"
        assert person("login", "office", stdin="dppctl_right\n").startswith("Logged in")  # its address is known
    kept = settings_folder / "clusters.env"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads((settings_folder / "clusters.json").read_text()) == {
        "current": "local",
        "clusters": {"office": {"url": url, "login": "token:ann"}},
    }
    assert person("use", "office") == "Switching to the office cluster, as token:ann\n"
    assert json.loads(person("list", "clusters")) == [
        {"name": "local", "chosen": False, "where": "this machine", "login": None},
        {"name": "office", "chosen": True, "where": url, "login": "token:ann"},
    ]
    assert [line.split() for line in person("use").splitlines()] == [
        ["NAME", "CHOSEN", "WHERE", "LOGIN"],
        ["local", "no", "this", "machine"],
        ["office", "yes", url, "token:ann"],
    ]
    assert person("list", "clusters", "-o", "name") == "local\noffice\n"


def test_a_keyring_is_used_where_there_is_one_and_the_environment_wins(
    settings_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens.keep_token("office", "in the file")
    keyring.set_keyring(MemoryKeyring())
    assert tokens.read_token("office") == "in the file"
    tokens.keep_token("office", "in the keyring")
    assert tokens.read_token("office") == "in the keyring"
    assert "in the" not in (settings_folder / "clusters.env").read_text()
    tokens.forget_token("office")
    with pytest.raises(DppctlError, match="there is no token for the cluster office; `dppctl login office` asks"):
        tokens.read_token("office")
    monkeypatch.setenv("DPPCTL_TOKEN", "of a script\n")
    assert tokens.read_token("office") == "of a script"


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["local", "--url", "https://a"], "", "local is this machine; choose another name for a cluster"),
        (["Office", "--url", "https://a"], "", "'Office' is no name of a cluster: "),
        (["office", "--url", "dppctl.example.org"], "", "--url must be like https://dppctl.example.org"),
        (["office", "--url", "https://a:b@c"], "", "--url must hold no password: the token is asked for"),
        (["office", "--url", "https://a:x"], "", "--url is no address: "),
        (["office", "--url", "https://a", "--context", "b"], "", "--url reaches the proxy by itself; "),
        (["office"], "", "how is office reached? Give --url URL, or --context of your kubeconfig file"),
        (["office", "--url", "http://127.0.0.1:9", "--with-token"], "", "no token came on stdin"),
        (["office", "--url", "http://127.0.0.1:9", "--with-token"], "two words", "what came is no token: "),
        ([], "", "which cluster? Name one, or choose it by `dppctl use`; local is this machine"),
        (
            ["office", "--url", "http://127.0.0.1:9"],
            "t",
            "the cluster office does not answer at http://127.0.0.1:9: C",
        ),
        (
            ["office", "--url", "http://a.invalid"],
            "t",
            "the cluster office does not answer at http://a.invalid: its n",
        ),
    ],
)
def test_what_is_wrong_with_a_login_is_one_line(person: Person, arguments: list[str], stdin: str, said: str) -> None:
    assert person("login", *arguments, stdin=stdin).startswith(f"refused: {said}")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(302, {"Location": "/login"}), "the cluster office answers 302 Found and leads elsewhere; "),
        (Reply(404, {}, b"<html>"), "what answers for the cluster office is no proxy of dppctl (404 Not Found); "),
        (Reply(200, {}, b"<html>"), "what answers for the cluster office is no proxy of dppctl"),
        (Reply(502, {}, b"<html>"), "the cluster office answers 502 Bad Gateway"),
    ],
)
def test_what_is_no_proxy_is_told(person: Person, reply: Reply, said: str) -> None:
    with serving(lambda _: reply) as address:
        assert person("login", "office", "--url", f"http://{address}", stdin="t").startswith(f"refused: {said}")


def test_a_damaged_file_is_named(person: Person, settings_folder: Path) -> None:
    settings_folder.mkdir(parents=True)
    (settings_folder / "clusters.json").write_text('{"current": ')
    said = person("use")
    assert said.startswith(f"refused: {settings_folder / 'clusters.json'} cannot be read (JSONDecodeError(")


def test_of_a_token_that_is_kept_and_one_in_the_environment_the_second_wins_and_that_is_told(
    person: Person, settings_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings_folder
    with serving(proxy) as address:
        tokens.keep_token("office", "dppctl_kept")
        add_cluster(NamedCluster("office", f"http://{address}", login="ben"))
        monkeypatch.setenv("DPPCTL_TOKEN", "dppctl_right")
        said = person("login", "office", "--url", f"http://{address}")
        assert "DPPCTL_TOKEN is used, and not the token that is kept for office\n" in said
        assert tokens.kept_token("office") == "dppctl_kept"
        *_, office, told = person("use").splitlines()
        assert office.split()[-1] == "ben"
        assert told == "DPPCTL_TOKEN is set: on each of them you are whom that token belongs to"
        lines: list[str] = []
        with connect(choose_cluster("office", settings_folder) or OFFICE, lines.append):
            assert lines == ["DPPCTL_TOKEN is used, and not the login as ben"]
        said = person("logout", "office")  # of a cluster without an auth server
        assert said.startswith("Logged out of office: its token is forgotten here\nDPPCTL_TOKEN is set, ")
        assert person("logout", "office").startswith("refused: no token is kept for the cluster office")
        said = person("token", "list", "--cluster", "office")
        assert said == "refused: nobody logs in to office: its tokens are in a Secret or file, which --file names"
    assert tokens.kept_token("office") == ""
