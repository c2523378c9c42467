"""The first page, typed by somebody who has a clean Debian, an empty home and nothing else."""

import re
from pathlib import Path

import pytest

from tests.support.docs.pages import said_after
from tests.support.docs.shell import is_like
from tests.support.newcomer import README, new_newcomer

pytestmark = pytest.mark.slow


@pytest.mark.needs("mmdebstrap", "podman", "root", "runc")
def test_from_nothing_to_rows_of_their_own(tmp_path: Path) -> None:
    """What the page says is all that is typed; then the rows of the file that was pushed are in staging's database."""
    with new_newcomer(tmp_path) as ann:
        walked = [line for line, _ in ann.walks()]
        assert [line for line in walked if line in ann.page.types] == list(ann.page.types)
        shown = "\n".join(said_after(README, ann.page.looks))
        is_like(re.sub(r"\d+s ago", "…", shown).splitlines(), ann.types(f"COLUMNS=100 {ann.page.looks} -o table"))
        database = "os.path.expanduser('~/.config/dppctl/state/environments/ann+prices/staging/current/data.sqlite')"
        query = f"sqlite3.connect({database}).execute('select product, price from prices order by day').fetchall()"
        assert ann.types(f'python3 -c "import os, sqlite3; print({query})"') == "[('bread', 7.9), ('milk', 6.5)]\n"
