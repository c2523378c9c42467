"""A quick path is for one release: any other is left as it is, and said."""

import hashlib
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.quick.comparing import DppPython
from worker.hooks.runner.quick.known import unknown


def test_what_is_not_the_known_release_is_told_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "inner.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    files = {"some_package/inner.py": hashlib.sha256(b"x = 1\n").hexdigest()}
    assert unknown("some 1.0", files) is None
    (package / "inner.py").write_text("x = 2\n")
    assert unknown("some 1.0", files) == "some_package/inner.py is not that of some 1.0"
    (package / "inner.py").unlink()
    assert unknown("some 1.0", files) == "some_package/inner.py is not that of some 1.0"
    assert unknown("other 1.0", {"no_such_package/a.py": "0"}) == "there is no no_such_package"


def test_all_quick_paths_apply_in_the_environment_of_the_lock(runtime: DppEnvironment, tmp_path: Path) -> None:
    python = DppPython(runtime.bin, tmp_path / "hooks", "installing")
    assert python.differences([]) == {"reasons": [], "imported": []}
    # A module of the user's that has the name of a package that is imported late is imported at once, as ever.
    assert python.differences(["redis"]) == {
        "reasons": ["imports: redis does not lie beside dataflows"],
        "imported": ["openpyxl", "redis", "sqlalchemy", "tableschema_sql"],
    }
    python.close()
