"""The first page, typed by somebody who has a clean Debian, an empty home and nothing else."""

from pathlib import Path

import pytest

from tests.support.newcomer import new_newcomer

pytestmark = pytest.mark.slow


@pytest.mark.needs("mmdebstrap", "podman", "root", "runc")
def test_from_nothing_to_rows_of_their_own(tmp_path: Path) -> None:
    """What the page says is all that is typed; then the rows of the file that was pushed are in staging's database."""
    with new_newcomer(tmp_path) as ann:
        walked = [line for line, _ in ann.walks()]
        assert [line for line in walked if line in ann.page.types] == list(ann.page.types)
        shown = ann.types(ann.page.looks)
        assert "ann/prices" in shown
        database = "os.path.expanduser('~/.config/dppctl/state/environments/ann+prices/staging/current/data.sqlite')"
        query = f"sqlite3.connect({database}).execute('select product, price from prices order by day').fetchall()"
        assert ann.types(f'python3 -c "import os, sqlite3; print({query})"') == "[('bread', 7.9), ('milk', 6.5)]\n"
