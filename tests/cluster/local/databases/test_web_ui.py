"""Pages that show what is in a database, as a browser meets them."""

import socket
import sqlite3
from pathlib import Path

import requests

from cluster.local.databases.web_ui import start_datasette


def test_datasette_answers_by_this_machines_names_only(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "x.sqlite").close()
    with socket.create_server(("127.0.0.1", 0)) as listening, (tmp_path / "log").open("wb") as log:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        process = start_datasette(tmp_path / "x.sqlite", listening, log)
        try:
            codes = [
                requests.get(url, headers={"Host": host}, timeout=120).status_code
                for host in ("127.0.0.1:80", "localhost", "evil.example", "127.0.0.1.evil.example:80")
            ]
        finally:
            process.kill()
            process.wait()
    assert codes == [200, 200, 403, 403]
