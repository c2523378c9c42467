"""What counts as a command on a page."""

import pytest

from tests.support.docs.pages import blocks, commands, said_after
from tests.support.docs.shell import is_like

PAGE = """\
Run `helm upgrade
--install`, or `make test`; `dppctl` is a name, and `bot/loop.py` a file. Then

    $ cd here   # first
    said
    $ kubectl create \\
        secret x
    more

```bash
git push
```

1. In a list, with `.ci/run`:

       pipx install .          # or another way
       | no command of its own

```yaml
build: {}
```

    image: x
"""


def test_commands_are_found_without_prompt_comment_and_output() -> None:
    assert [(one.text, one.line, one.inline) for one in commands("page", PAGE)] == [
        ("helm upgrade --install", 1, True),
        ("make test", 2, True),
        ("cd here", 4, False),
        ("kubectl create secret x", 6, False),
        ("git push", 11, False),
        (".ci/run", 14, True),
        ("pipx install .", 16, False),
        ("| no command of its own", 17, False),
    ]


def test_other_blocks_are_told_apart() -> None:
    assert [one.lines for one in blocks("page", PAGE) if not one.is_commands] == [("image: x",)]


def test_what_is_shown_is_compared_with_what_is_said() -> None:
    shown = said_after("docs/run.md", "dppctl run ./countries-to-db")
    said = "\n".join(shown)
    is_like(shown, said.replace("rokfi8489824", "abcdefghijkl").replace("40601", "1"))
    is_like(["Using …", "…", "Unassigned Worker Pod", "…"], said)
    for wrong in ("250 rows", "more\n./countries-to-db: SUCCESS"):
        with pytest.raises(AssertionError, match="said"):
            is_like(shown, said.replace("249 rows" if "250" in wrong else "./countries-to-db: SUCCESS", wrong))
