"""Names of files that are not UTF-8: what pipelines make of them ends a deployment like anything else."""

from tests.support.forge import APP
from tests.support.stories.machine import Machine

WRITES = """
    import os
    from dataflows import Flow, update_resource

    def flow(*_):
        os.makedirs("data", exist_ok=True)
        for name in (b"data/index.html", b"data/caf\\xe9.csv"):
            with open(name, "w") as file:
                file.write("x")
        return Flow([{"number": 1}], update_resource(-1, name="numbers", path="n.csv", **{"dpp:streaming": True}))
"""
RAISES = 'import os\n\ndef flow(*_):\n    raise ValueError(os.fsdecode(b"caf\\xe9.csv") + " is odd")\n'


def test_a_pipeline_that_writes_such_a_file_is_published(machine: Machine) -> None:
    machine.say({**APP, "rows.py": WRITES})
    machine.sync.sync()
    assert machine.phases() == ["started", "succeeded"], machine.events[-1].message
    assert (machine.environment().storage / "index.html").read_text() == "x"


def test_a_pipeline_that_fails_with_such_a_name_says_it(machine: Machine) -> None:
    machine.say({**APP, "rows.py": RAISES})
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]
    assert ".csv is odd" in machine.events[-1].message
    machine.events[-1].model_dump_json()
