"""Run by dpp's Python, not ours: connects to the database whose URL stands on standard input.

Prints why it cannot; exit code 0 says that the database answers.
"""

import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

_PLAIN = re.compile(r"postgresql://(?P<user>\w+):(?P<password>\w+)@(?P<host>[\w.-]+):(?P<port>\d+)/(?P<dbname>\w+)")


def main() -> str:
    text = sys.stdin.read().strip()
    if answers(text):
        return ""
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

    try:
        url = make_url(text)
        if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
            return "a database in memory ends with each processor; name a file, like sqlite:////folder/data.sqlite"
        create_engine(url).connect().close()
    except NoSuchModuleError:
        return f"'{url.drivername}' is no kind of database that SQLAlchemy knows"
    except ImportError as error:
        return f"its driver is not installed ({error}); add it to the requirements.txt beside the pipelines"
    except DBAPIError as error:
        return str(error.orig)
    except (ArgumentError, OSError, ValueError) as error:
        return str(error)
    return ""


def answers(text: str) -> bool:
    """Return whether PostgreSQL answers at a plain URL: by psycopg alone, which takes half as long to load.

    False says nothing: SQLAlchemy is to try. The driver is that of SQLAlchemy 2.1, which is found from its folder.
    """
    plain = _PLAIN.fullmatch(text)
    found = PathFinder.find_spec("sqlalchemy") if plain else None
    if (
        plain is None
        or found is None
        or not any(Path(found.origin or "").parents[1].glob("sqlalchemy-2.1.*.dist-info"))
    ):
        return False
    given: Any = plain.groupdict()
    try:
        import psycopg

        with psycopg.connect("", **given) as connection:
            row = connection.execute("SELECT version()").fetchone()
            return row is not None and row[0].startswith("PostgreSQL ")
    except Exception:  # noqa: BLE001 - SQLAlchemy says what is wrong
        return False


if __name__ == "__main__":
    reason = main()
    print(reason)
    sys.exit(bool(reason))
