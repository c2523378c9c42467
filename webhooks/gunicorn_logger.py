"""Have gunicorn's own lines, such as of a worker that hangs, look as all others: in its leading process too."""

from gunicorn.config import Config
from gunicorn.glogging import Logger

from bot.logs import configure


class GunicornLogger(Logger):  # type: ignore[misc]
    """Leaves its records to the handler of `bot.logs`; the application configures that again, with its secrets."""

    def setup(self, cfg: Config) -> None:
        """Set the levels that `cfg` says, and no handler."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        configure(())
