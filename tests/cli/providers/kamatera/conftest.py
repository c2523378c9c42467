"""Kamatera, and a home of one's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kamatera import ACCOUNT, SECRET, FakeKamatera, serving_kamatera


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """dppctl's folder there; the kubeconfig file is beside it, and no keyring."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setattr("cli.providers.kamatera.client.FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("cli.providers.kamatera.server.TERMINATE_POLL_SECONDS", 0.0)
    return tmp_path / "dppctl"


@pytest.fixture
def kamatera(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKamatera]:
    """Reached by the variables that Kamatera's own clients have; its server has a folder for a sshd."""
    folder = home.parent / "server"
    folder.mkdir()
    fake = FakeKamatera(folder)
    with serving_kamatera(fake) as url:
        monkeypatch.setenv("KAMATERA_API_URL", url)
        monkeypatch.setenv("KAMATERA_API_CLIENT_ID", ACCOUNT)
        monkeypatch.setenv("KAMATERA_API_SECRET", SECRET)
        yield fake
