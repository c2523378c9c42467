"""The story of `make demo`: pushes deploy to staging, tags to production; a mistake and a loss of rows change nothing.

Everything is real and everything is local: what `dppctl init --local` makes (an app repository and an ops repository,
bare, in a temporary folder, and a git hook that sends signed webhooks), `dppctl up`, dpp, a database for each
environment. With ONCE=1 it ends by itself, with exit code 0 when all went well; otherwise it keeps serving until
Ctrl-C. Nothing stays behind.
"""

import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

from demo_world import APP, DemoError, World, git

SECONDS = 180  # for a deployment; it takes a few, and more on a machine that does other work

MOST_ZONES = """\
SELECT name, count(*) FROM zone_countries JOIN countries ON country = code GROUP BY name ORDER BY 2 DESC LIMIT 3
"""

# It expects a column that not every line of the table has.
MISTAKE = ("for _, coordinates, name, *comments in", "for _, coordinates, name, comments, _ in")
# A third of the zones has no comment.
YIELD = '        yield {\n            "name": name,'
LOSS = (YIELD, f"        if not comments:\n            continue\n{YIELD}")

DEPLOYMENT = """\
SELECT id, state, error, receipt, summary FROM deployments WHERE environment = ? AND "commit" = ? ORDER BY id DESC
"""


@dataclass(frozen=True)
class Ended:
    """A deployment, as the bot remembers it."""

    number: int
    environment: str
    state: str
    error: str | None
    receipt: dict[str, Any]
    summary: str | None  # what came out and what changed


def main() -> int:
    """Tell the story; return 0 when it went well."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="dppctl-demo-") as folder:
        world = World(Path(folder))
        code = 130
        try:
            Demo(world).tell()
            code = 0
            if not os.environ.get("ONCE"):
                say("Ctrl-C ends it and removes all of it.")
                world.server.wait()
        except DemoError as error:
            print(f"demo: {error}\n{world.log()}", file=sys.stderr)
            code = 1
        except KeyboardInterrupt:
            print()
        finally:
            world.end()
    return code


class Demo:
    """One telling, in one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def tell(self) -> None:
        """Tell the story from the first push to the way back, and print each step."""
        app = self.world.app
        say(f"dppctl init --local, in a folder with examples/tz-data and a .dppctl.yaml: the app {APP}")
        print(indent(self.world.set_up(), " "))
        say("dppctl up: webhook receiver, bot and local sync in one process")
        address = self.world.start_server()

        say("git push origin master")
        self.show(*self.deploy("master", "staging"))

        say("A mistake: git commit, git push origin master")
        self.world.change("zones.py", *MISTAKE, "Simpler columns")
        self.show_failure(*self.deploy("master", "staging"))

        say("Back: git revert HEAD, git push origin master")
        git(app, "revert", "--no-edit", "HEAD")
        self.show(*self.deploy("master", "staging"))

        say("git tag v1.0.0; git push origin v1.0.0: production takes what ran in staging (`after: staging`)")
        git(app, "tag", "v1.0.0")
        self.show(*self.deploy("v1.0.0", "production"))

        self.tell_of_a_loss()

        say("What the ops repository remembers of it:")
        print(indent(git(self.world.ops_repo, "log", "--format=%h %s"), "   "))
        say(f"All deployments, what came out and their logs: {address}/")

    def tell_of_a_loss(self) -> None:
        """Tell of a change that loses rows: stopped before production, taken on purpose, and taken back."""
        say("A change that loses a third of the zones: git commit, git push origin master")
        self.world.change("zones.py", *LOSS, "Only zones with a comment")
        self.show_change(*self.deploy("master", "staging"))

        say("git tag v1.1.0; git push origin v1.1.0: production expects at most 20 % fewer rows (`expect:`)")
        git(self.world.app, "tag", "v1.1.0")
        self.show_failure(*self.deploy("v1.1.0", "production"))

        self.type("deploy", APP, "production", "--accept-change", "zones without a comment are not used")
        self.show_rows("production")

        self.type("rollback", APP, "production", "--yes", "--message", "they are used after all")
        self.show_rows("production")

    def type(self, *words: str) -> None:
        """Type a command of dppctl's, and show what it says in the end. Raises DemoError when it fails."""
        say(" ".join(["dppctl", *(f'"{word}"' if " " in word else word for word in words)]))
        code, told = self.world.dppctl(*words)
        if code:
            raise DemoError(f"dppctl {words[0]} ended with exit code {code}:\n{told}")
        print(indent("\n".join(told.splitlines()[-3:]), "   "))

    def deploy(self, ref: str, environment: str) -> tuple[Ended, float]:
        """Push it, wait until the environment's deployment of that commit has ended, and return it with the seconds."""
        pushed = time.monotonic()
        commit = self.world.push(ref)
        while time.monotonic() < pushed + SECONDS and self.world.server.poll() is None:
            found = self.world.deployments(DEPLOYMENT, environment, commit)
            if found and found[0][1] in ("succeeded", "failed", "refused"):
                number, state, error, receipt, summary = found[0]
                ended = Ended(number, environment, state, error, json.loads(receipt or "{}"), summary)
                return ended, time.monotonic() - pushed
            time.sleep(0.05)
        raise DemoError(f"no end of the deployment to {environment} in {SECONDS} seconds, or dppctl up ended")

    def show(self, ended: Ended, seconds: float) -> None:
        """Show the receipt, and that the rows are in the database."""
        self.show_change(ended, seconds)
        for pipeline in ended.receipt["pipelines"]:
            done = f"{pipeline['rows']} rows in {pipeline['seconds']:.1f} s, hash {pipeline['hash']}"
            print(f"   {pipeline['id']}: {pipeline['status']}, {done}")
            for resource in pipeline["resources"]:
                fields = ", ".join(f"{field['name']} {field['type']}" for field in resource["fields"])
                print(f"     {resource['name']}: {resource['rows']} rows ({fields})")
        self.show_rows(ended.environment)

    def show_change(self, ended: Ended, seconds: float) -> None:
        """Show what came out, and what is other than before."""
        if ended.state != "succeeded":
            raise DemoError(f"the deployment to {ended.environment} {ended.state}: {ended.error}")
        print(f"   deployed to {ended.environment}: {seconds:.1f} s from the push to the receipt")
        print(f"   {ended.summary}")

    def show_failure(self, ended: Ended, seconds: float) -> None:
        """Show where the mistake is, and that the environment goes on with what it had."""
        if ended.state != "failed":
            raise DemoError(f"the mistake was not noticed: the deployment {ended.state}")
        print(f"   deployment {ended.number} failed, {seconds:.1f} s after the push:")
        print(indent("\n".join((ended.error or "").splitlines()[:2]), "   | "))
        self.show_rows(ended.environment)

    def show_rows(self, environment: str) -> None:
        """Show something that only the tables together tell."""
        most = ", ".join(f"{country} {zones}" for country, zones in self.world.rows(environment, MOST_ZONES))
        [(zones,)] = self.world.rows(environment, "SELECT count(*) FROM zones")
        print(f"   in {environment}'s database, {zones} zones; the countries with the most of them: {most}")


def say(text: str) -> None:
    """Print a step of the story."""
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
