"""Run by dpp's Python, not ours: connects to the database whose URL stands on standard input.

Prints why it cannot; exit code 0 says that the database answers.
"""

import sys


def main() -> str:
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

    try:
        url = make_url(sys.stdin.read().strip())
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


if __name__ == "__main__":
    reason = main()
    print(reason)
    sys.exit(bool(reason))
