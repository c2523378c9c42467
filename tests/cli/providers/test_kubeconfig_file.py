"""A context is added to a person's kubeconfig file and removed again; the rest of it stays."""

from pathlib import Path

import pytest

from cli.errors import InputError
from cli.providers.kubeconfig_file import add_context, has_context, own_entries, remove_context

K3S = """\
apiVersion: v1
clusters:
- cluster: {certificate-authority-data: Q0E=, server: https://127.0.0.1:6443}
  name: default
contexts:
- context: {cluster: default, user: default}
  name: default
current-context: default
kind: Config
users:
- name: default
  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}
"""
PEOPLES = """\
# mine
apiVersion: v1
kind: Config
clusters:
- {name: work, cluster: {server: https://work.example.org}}
contexts:
- {name: work, context: {cluster: work, user: ann}}
users:
- {name: ann, user: {token: t0k3n}} # do not lose this
current-context: work
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{tmp_path / 'config'}")
    (tmp_path / "config").write_text(PEOPLES)
    return tmp_path / "config"


def test_it_comes_and_goes_and_the_rest_stays(file: Path) -> None:
    entries = own_entries(K3S, "https://203.0.113.7:6443", "new")
    for _ in range(2):
        assert add_context("new", entries) == file
    assert has_context("new")
    written = file.read_text()
    assert written.count("https://203.0.113.7:6443") == written.count("client-key-data: S0VZ") == 1
    assert "127.0.0.1" not in written
    assert "current-context: work" in written
    assert "# do not lose this" in written
    assert file.stat().st_mode & 0o777 == 0o600
    assert remove_context("new")
    assert not remove_context("new")
    assert "S0VZ" not in file.read_text()
    assert "https://work.example.org" in file.read_text()
    assert [each.name for each in file.parent.iterdir()] == ["config"]


def test_without_a_file_one_is_made_and_its_context_is_the_current_one(file: Path) -> None:
    file.unlink()
    made = add_context("new", own_entries(K3S, "https://203.0.113.7:6443", "new"))
    assert "current-context: new" in made.read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not as expected"),
        ("{a: [", "is not as expected"),
        (K3S.replace("current-context: default", "current-context: other"), "is not as expected"),
        (K3S.replace("user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}", "user: {exec: {command: sh}}"),
         "no certificate of a user"),
        (K3S.replace("S0VZ", "'a b\\n'"), "is not as expected"),
    ],
)  # fmt: skip
def test_of_a_servers_file_only_certificates_are_taken(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        own_entries(text, "https://203.0.113.7:6443", "new")


def test_a_broken_file_and_one_that_is_being_written_are_left_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = own_entries(K3S, "https://203.0.113.7:6443", "new")
    file.with_name("config.lock").touch()
    monkeypatch.setattr("cli.providers.kubeconfig_file.KUBECONFIG_LOCK_SECONDS", 0.0)
    with pytest.raises(InputError, match=r"config\.lock is there: kubectl writes the file, or was killed"):
        add_context("new", entries)
    file.with_name("config.lock").unlink()
    file.write_text("clusters: [")
    with pytest.raises(InputError, match="cannot be read"):
        add_context("new", entries)
    assert file.read_text() == "clusters: ["
