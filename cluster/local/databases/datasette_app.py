"""`python -m cluster.local.databases.datasette_app FD FILE`: Datasette for a SQLite file on an inherited socket."""

import socket
import sys

import uvicorn
from datasette.app import Datasette  # type: ignore[import-untyped]


def main() -> None:
    descriptor, file = sys.argv[1:]
    config = uvicorn.Config(Datasette([file]).app(), log_level="warning")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main()
