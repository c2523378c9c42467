"""The process of one pipeline: what `dpp run --slave ID` does, by dpp's own code, with processors that are forked."""

import logging
import os
import sys
from typing import Any, Dict, List, NoReturn, Set

import dppctl_manager
import dppctl_wrapper

from . import hook_posts, parent, script
from .plan import LANE, OWN
from .processors import Member, Processors


def run(spec: Any, specs: List[Any], ways: List[str], request: Dict[str, Any], kept_modules: Set[str]) -> NoReturn:
    """Run the pipeline and end the process as dpp does; the result is in the file that the request names.

    specs: all pipelines; ways: of the steps; request: as server.py has it; kept_modules: see script.py.
    """
    from datapackage_pipelines.manager import runner, tasks

    script.be_fresh()
    own_pid = os.getpid()
    sink = LANE if LANE in ways else OWN

    def become(members: List[Member], status: int) -> NoReturn:
        parent.end_with(own_pid)
        script.be_fresh()
        if len(members) == 1 and way_of(members[0]) == OWN:
            _become_processor(members[0].arguments, kept_modules)
        _become_lane(members, status, request["environment"]["DPPCTL_RESOURCES_FILE"])

    def way_of(member: Member) -> str:
        return [*ways, sink][int(member.arguments[1])]

    _know_dependencies(spec, specs)
    runner.pipelines = lambda *_, **__: iter([spec])
    hook_posts.post_from_a_process()
    tasks.create_process = Processors([*ways, sink], become).create
    dppctl_manager.extend_runner(runner, request["result"])
    code = 1
    try:
        results = runner.run_pipelines(spec.pipeline_id, ".", slave=True)
        code = int(any(result.errors or not result.success for result in results))
    except BaseException as error:  # noqa: BLE001 - as an interpreter does
        code = script.exit_code_of(error)
    finally:
        script.end_process(code)


def _know_dependencies(spec: Any, specs: List[Any]) -> None:
    """Have dpp look at what the pipeline depends on, now that those have run."""
    from datapackage_pipelines.specs.hashers import HashCalculator
    from datapackage_pipelines.status import status_mgr

    if spec.pipeline_details.get("dependencies"):
        calculator = HashCalculator()
        calculator.all_pipeline_ids = {each.pipeline_id: each for each in specs if each is not spec}
        calculator.calculate_hash(spec, status_mgr())


def _become_processor(arguments: List[str], kept_modules: Set[str]) -> NoReturn:
    script.open_streams()
    script.forget_modules(kept_modules)
    for handler in list(logging.root.handlers):
        logging.root.removeHandler(handler)
    logging.root.setLevel(logging.WARNING)  # as in a fresh interpreter
    code = 0
    try:
        script.run_script(arguments)
    except BaseException as error:  # noqa: BLE001 - as an interpreter does
        code = script.exit_code_of(error)
    script.end_process(code)


def _become_lane(members: List[Member], status: int, sink_file: str) -> NoReturn:
    from . import lane, output

    def end(position: int, code: int) -> NoReturn:
        os.write(status, f"{position} {code}\n".encode())
        os._exit(code)

    script.open_streams()
    stdin, stdout = sys.stdin, sys.stdout
    steps = [lane.LaneStep(number, member.arguments, member.errors_to) for number, member in enumerate(members)]
    raw = output.StepOutput(lane.attribution, raw=True)
    names: Any = sys
    names.__stderr__ = raw
    names.stderr = output.StepOutput(lane.attribution, raw=False)
    lane.attribution.otherwise = steps[0]
    output.set_up_logging(raw)
    sys.excepthook = dppctl_wrapper.print_exception
    lane.Lane(steps, end, sink_file).run(stdin, stdout)
    for step in steps:
        step.log.flush()
    del steps
    sys.stdout = stdout
    script.end_process(0)
