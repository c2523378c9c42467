"""docs/settings.md has every setting of the servers, and no other."""

import re
from pathlib import Path

from bot.settings.variables import variables

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()


def test_every_setting_is_listed_once() -> None:
    cells = re.findall(r"^\| (`[A-Z][^|]*) \|", PAGE, re.MULTILINE)
    listed = [name for cell in cells for name in re.findall(r"`([A-Z_]+)`", cell)]
    assert sorted(listed) == sorted(name.removeprefix("DPPCTL_") for name in variables())
