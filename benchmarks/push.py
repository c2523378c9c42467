"""From `git push` to the commit in the ops repo: `dppctl up`, a bare repository with the hook, no image."""

import shutil
import time
from pathlib import Path

from benchmarks.bench import Bench, numbered
from benchmarks.report import ROOT, Result, Row, spread
from bot.store.store import Store
from tests.support.forge import APP, Forge, Repository, git
from tests.support.up import Up
from tests.support.workloads import write_files

SECONDS = 1.5
LONGEST = 60.0
APPS = "apps:\n- {appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [staging, production]}\n"


def push(bench: Bench) -> Result:
    """Measure pushes, each when the deployment before has ended."""
    folder = bench.new_folder()
    forge = Forge(folder)
    ops, app = forge.repository("ann/ops"), forge.repository("ann/app")
    ops.push({"README.md": ""})
    env = f"DPPCTL_GITHUB_URL={forge.url}\nDPPCTL_WEBHOOK_SECRETS=hush\nDPPCTL_PORT=0\n"
    config = write_files(folder / "config", {"apps.yaml": APPS, ".env": env})
    up = Up(config)
    try:
        install_hook(app, up.address(LONGEST), folder)
        times = [_push(app, ops, config, number) for number in numbered(3 if bench.quick else 20, "push")]
    finally:
        up.kill()
    longest = max(times)
    row = Row(
        "from `git push` to the ops commit, no image", f"under {SECONDS} s", f"{longest:.2f} s", longest < SECONDS
    )
    details = (
        f"The longest of {len(times)} pushes; all: {spread(times)}. The time starts with the command `git push`, "
        f"which runs the hook that sends the webhook, and ends when the ops repo's branch names the new commit."
    )
    return Result("From a push to the ops commit", [row], details)


def install_hook(app: Repository, address: str, folder: Path) -> None:
    """Have each push to the app's repository sent to the receiver, signed with the secret `hush`."""
    secret = folder / "secret"
    secret.write_text("hush")
    hook = app.bare / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    shutil.copy(ROOT / "cli" / "init" / "local" / "post_receive.py", hook)
    hook.chmod(0o755)
    settings = {"url": f"{address}/webhooks/github", "repository": "ann/app", "secretFile": str(secret)}
    for name, value in settings.items():
        git(app.bare, "config", f"dppctl.{name}", value)


def _push(app: Repository, ops: Repository, config: Path, number: int) -> float:
    before = _head(ops)
    write_files(app.work, {**APP, "note.txt": str(number)})
    app.git("add", "--all")
    app.git("commit", "--quiet", "--message", f"push {number}")
    started = time.perf_counter()
    app.git("push", "--quiet", "origin", "master")
    while _head(ops) == before:
        if time.perf_counter() - started > LONGEST:
            raise RuntimeError(f"no ops commit:\n{(config / 'log').read_text()[-2000:]}")
        time.sleep(0.002)
    seconds = time.perf_counter() - started
    store = Store(f"sqlite:///{config / 'state' / 'dppctl.sqlite'}")
    while not (newest := store.deployments.newest(limit=1)) or not newest[0].ended:
        time.sleep(0.1)
    store.close()
    return seconds


def _head(ops: Repository) -> str:
    return (ops.bare / "refs" / "heads" / "master").read_text()
