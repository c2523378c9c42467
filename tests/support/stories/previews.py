"""An app whose branches have previews, and a bot in the test's own process."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bot.store.preview_tables import SeenBranch
from tests.support.forge import APP, CONFIG
from tests.support.stories.bot import Story
from tests.support.world import World

WITH_PREVIEWS = f"""{CONFIG.rstrip()}
      - branches: "*"
        preview: staging
"""
PREVIEW_APP = {**APP, ".dppctl.yaml": WITH_PREVIEWS}


class PreviewStory(Story):
    """Has an app that is registered for `preview-*` too."""

    def __init__(self, world: World, environments: tuple[str, ...] = ("staging", "production", "preview-*")) -> None:
        """Put a loop into the world."""
        super().__init__(world, environments=environments)

    def branch(self, name: str, files: Mapping[str, str] | None = None) -> str:
        """Push a commit to a branch; return it."""
        return self.app.push({**PREVIEW_APP, **(files or {"who.txt": name})}, name)

    def delete(self, name: str) -> None:
        """Delete a branch."""
        self.app.git("push", "--quiet", "origin", "--delete", f"refs/heads/{name}")

    def previews(self) -> dict[str, str]:
        """Return the branch of each preview that the ops repo has, by the preview's name."""
        files = [path.split("/") for path in self._files()]
        names = [path[1] for path in files if path[0] == "environments" and path[1].startswith("preview-")]
        return {name: self.values(name).source.ref.removeprefix("refs/heads/") for name in sorted(names)}

    def age(self, branch: str, days: float) -> None:
        """Have a branch be pushed so many days ago."""
        with self.store.database.write() as session:
            found = session.get_one(SeenBranch, ("ann/app", f"refs/heads/{branch}"))
            found.pushed = datetime.now(UTC) - timedelta(days=days)
