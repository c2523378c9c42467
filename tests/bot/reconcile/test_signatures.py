"""Only what somebody listed has signed is deployed, whatever way it comes; told as one story, for keys take time."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import DppctlError
from bot.git.signatures import Signatures
from bot.model.names import RepoPath
from bot.model.registration import Target, parse_registration
from bot.model.signers import parse_signers
from tests.support.forge import APP, Repository, git
from tests.support.stories.bot import Story
from tests.support.world import OPS, World

pytestmark = pytest.mark.needs("gpg", "ssh-keygen")


@pytest.fixture
def gnupg(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A person's own keyring, which is nothing to the bot; its agent's socket wants a short path."""
    folder = Path(tempfile.mkdtemp(prefix="gpg-"))
    monkeypatch.setenv("GNUPGHOME", str(folder))
    yield folder
    subprocess.run(["gpgconf", "--kill", "all"], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def ssh_key(file: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)], check=True)
    return file.with_suffix(".pub").read_text().strip()


def openpgp_key() -> tuple[str, str]:
    """Return the fingerprint and the public key of a new one."""
    make = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", "--quick-gen-key"]
    subprocess.run([*make, "Bob <bob@example.org>", "ed25519", "sign", "never"], check=True, capture_output=True)
    export = subprocess.run(["gpg", "--armor", "--export"], check=True, capture_output=True, text=True).stdout
    found = subprocess.run(["gpg", "--list-keys", "--with-colons"], check=True, capture_output=True, text=True).stdout
    return next(line.split(":")[9] for line in found.splitlines() if line.startswith("fpr")), export


def sign_with(repository: Repository, key: str, form: str) -> None:
    """Have the person's git sign commits with a key."""
    for name, value in (("commit.gpgSign", "true"), ("gpg.format", form), ("user.signingKey", key)):
        repository.git("config", name, value)


def by_hand(story: Story, ref: str, *, rebuild: bool = False) -> tuple[str, str]:
    number = story.store.requests.add("ann/app", "staging", ref=ref, rebuild=rebuild, by="local:ann")
    story.loop.take()
    found = story.store.requests.get(number)
    assert found
    return found.state, found.message


def test_only_what_somebody_listed_has_signed_is_deployed(world: World, gnupg: Path, tmp_path: Path) -> None:
    assert gnupg.is_dir()
    ann, stranger, bots = (ssh_key(tmp_path / name) for name in ("ann", "stranger", "bots"))
    fingerprint, bob = openpgp_key()
    (tmp_path / "signers").write_text(f"# who may deploy\nann@example.org {ann}\n{bob}")
    (tmp_path / "allowed").write_text(f"dppctl {bots}\n")
    world.restart(VERIFY="signed", SIGNERS_FILE=f"{tmp_path}/signers", SIGNING_KEY_FILE=f"{tmp_path}/bots")
    story = Story(world)
    app = story.app
    not_listed = "is not signed by anybody who is listed (signers in apps.yaml, or DPPCTL_SIGNERS_FILE)"

    unsigned = app.push(APP)
    story.reconcile()
    assert story.runs("staging") is None
    assert (story.last().state, story.last().error) == ("refused", f"commit {unsigned[:12]} {not_listed}")
    sign_with(app, f"{tmp_path}/stranger", "ssh")
    foreign = app.push({"file": stranger})
    story.reconcile()
    assert story.last().error == f"commit {foreign[:12]} {not_listed}"

    sign_with(app, f"{tmp_path}/ann", "ssh")
    by_ann = app.push({"file": "ann"})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", by_ann)
    sign_with(app, fingerprint, "openpgp")
    by_bob = app.push({"file": "bob"})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", by_bob)
    allowed = ("-c", f"gpg.ssh.allowedSignersFile={tmp_path}/allowed", "-c", "gpg.minTrustLevel=fully")
    for commit in ("master", "master~1"):
        git(story.ops.bare, *allowed, "verify-commit", commit)

    app.tag("v1")
    story.reconcile()
    assert story.last().error == "tag v1 is not signed; tag it with `git tag --sign`"
    app.git("tag", "--sign", "--message=v2", "v2")
    app.git("push", "--quiet", "origin", "v2:refs/tags/v3")
    story.reconcile()
    assert story.last().error == "tag v3 holds the signature of another tag; tag it with `git tag --sign`"
    assert story.runs("production") is None
    app.tag("v4", "--sign", "--message=v4")
    story.reconcile()
    assert story.runs("production") == ("refs/tags/v4", by_bob)

    for ref, rebuild in ((unsigned, False), (unsigned, True), (foreign[:10], False), ("v1", False)):
        state, message = by_hand(story, ref, rebuild=rebuild)
        assert (state, "signed" in message) == ("refused", True)
    assert by_hand(story, by_ann)[0] == "done"
    assert story.runs("staging") == (by_ann, by_ann)
    story.loop.close()


def test_an_app_has_its_own_signers_or_needs_none(world: World, tmp_path: Path) -> None:
    key = f"ann@example.org {ssh_key(tmp_path / 'key')}"
    text = "apps:\n- {appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [staging]"
    (signed,) = parse_registration(f"{text}, signers: ['{key}']}}\n", "apps.yaml")
    (free,) = parse_registration(f"{text}, verify: none}}\n", "apps.yaml")
    plain = Target(RepoPath("ann/app"), OPS, "staging")
    assert signed == free == plain
    signatures = Signatures(world.git, world.settings, [signed, free, plain])
    assert [signatures.signers(target) for target in (signed, free, plain)] == [(key,), None, None]
    world.restart(VERIFY="signed")
    with pytest.raises(DppctlError, match="ann/app is to be verified, and nobody's signature counts; list signers"):
        Signatures(world.git, world.settings, [plain])
    assert Signatures(world.git, world.settings, [free]).signers(free) is None


@pytest.mark.parametrize("signer", ["ann@example.org", "ssh-ed25519 AAAA", "-----BEGIN PGP PUBLIC KEY BLOCK-----"])
def test_what_is_no_key_is_refused_with_its_line(signer: str) -> None:
    text = f"apps:\n- appRepoPath: ann/app\n  opsRepoPath: ann/ops\n  environments: []\n  signers: ['{signer}']\n"
    with pytest.raises(DppctlError, match=r"apps.yaml:5: .*expected `NAME ssh-ed25519"):
        parse_registration(text, "apps.yaml")
    with pytest.raises(ValueError, match=r"line 2: expected `NAME|has no end"):
        parse_signers(f"# keys\n{signer}\n")
