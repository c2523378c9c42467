"""What gunicorn's first process does before it starts the others.

https://docs.gunicorn.org/en/stable/settings.html#server-hooks
"""

import gc
from importlib import import_module
from typing import Any

gc.disable()  # while it imports: nearly all of that stays


def on_starting(server: Any) -> None:
    """Import what the application is made of, once for all processes: a second of the processor for each of them.

    Each makes the application by itself, as connections to the database and threads do not go through a fork.
    """
    import_module(server.app.app_uri.partition(":")[0])
    gc.freeze()  # so that looking for garbage does not write to the memory that the others share
    gc.enable()
