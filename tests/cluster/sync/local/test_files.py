"""What runs in an environment is what the commit holds."""

from tests.support.forge import APP
from tests.support.stories.machine import Machine

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'1' * 64}\nsize 12\n"


def test_a_pointer_of_git_lfs_never_runs_and_what_was_there_stays(machine: Machine) -> None:
    machine.say(APP)
    machine.sync.sync()
    machine.say({"numbers.csv": POINTER})
    machine.sync.sync()
    assert machine.phases()[-1] == "failed"
    assert machine.events[-1].message.startswith("numbers.csv: Git LFS keeps this file")
    assert machine.numbers() == [0, 1, 2]


def test_what_export_ignore_names_runs_too(machine: Machine) -> None:
    machine.say({**APP, ".gitattributes": "table.py export-ignore\nrows.py export-ignore\n"})
    machine.sync.sync()
    assert machine.phases() == ["started", "succeeded"]
    assert machine.numbers() == [0, 1, 2]
