"""The lines of an ops commit's message that link to where more is to be seen."""

from dataclasses import dataclass

from bot.model.decisions import Update
from bot.settings import Settings


@dataclass(frozen=True)
class CommitLinks:
    """Makes links to GitHub and to the dashboard, as far as the settings say where they are."""

    settings: Settings

    def lines(self, update: Update) -> list[str]:
        """Return lines for the ops commit's message: the app's commit, and the dashboard's page.

        The deployment has no number yet, as it is the ops commit that makes it one; so the page goes by the commit.
        """
        target, source = update.target, update.values.source
        lines = []
        if url := self.settings.github.commit_url(source.repository, source.commit):
            lines.append(f"Commit: {url}")
        if self.settings.receiver.public_url:
            path = f"apps/{target.app}/{target.environment}/{source.commit}"
            lines.append(f"Deployment: {self.settings.receiver.public_url}/{path}")
        return lines
