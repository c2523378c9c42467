"""Extends the process of `dpp` itself (dpp 2.2), most of it only in a run of the worker, which sets DPPCTL_RESULT_FILE.

- The result goes to a file: on stderr it is one line of up to many megabytes, mixed with what other threads log.
- The one id that the worker names is taken as it is: dpp takes commas and a `%` at the end for a pattern.
- State files get names of fixed length: dpp's are base64 of the id, which may contain `/` and be too long.
- A hook that does not answer cannot hold up a pipeline.
- Generators written for dpp 1.x, `generate_pipeline(cls, source)`, work on 2.x.
"""

import hashlib
import inspect
import json
import logging
import os
from typing import Any, Dict, Iterator, Set, Tuple

HOOK_SECONDS = 5  # more than a web server that works needs to answer; four calls a pipeline
ERROR_LINE_CHARACTERS = 4000  # of at most 1,000 lines: the file stays below some megabytes


def extend_runner(module: Any, target: str) -> None:
    """Change `datapackage_pipelines.manager.runner`; its results are written to the file `target`."""
    run_pipelines = module.run_pipelines

    def recorded(*args: Any, **kwargs: Any) -> Any:
        results = run_pipelines(*args, **kwargs)
        with open(target + ".part", "w") as file:
            json.dump([_result(result) for result in results], file, default=str)
        os.replace(target + ".part", target)
        return results

    module.run_pipelines = recorded
    module.match_pipeline_id = lambda argument, pipeline_id: argument == pipeline_id


def extend_state(module: Any, _target: str) -> None:
    """Change `datapackage_pipelines.status.backend_filesystem`."""

    def file_name(backend: Any, key: str) -> str:
        return os.path.join(backend.base_dir, hashlib.sha256(key.encode("utf8", "surrogatepass")).hexdigest())

    module.FilesystemBackend.fn = file_name


def extend_hooks(module: Any, _target: str) -> None:
    """Change `datapackage_pipelines.status.hook_sender`: what a spec's `hooks:` are told, within a time limit."""
    silent: Set[str] = set()

    def send(hook: str, payload: Dict[str, Any]) -> None:
        if hook in silent:
            return
        try:
            response = module.requests.post(hook, json=payload, timeout=HOOK_SECONDS)
        except module.requests.exceptions.Timeout:  # by its full name, as `requests` may be imported only now
            silent.add(hook)
            logging.warning("hook %s does not answer within %s seconds: it is not called again", hook, HOOK_SECONDS)
        except (module.requests.exceptions.RequestException, ValueError) as error:  # ValueError: no host's name
            logging.warning("hook %s cannot be told of %s: %s", hook, payload.get("event"), error)
        else:
            if response.status_code != 200:
                logging.warning("hook %s answers %s to %s", hook, response.status_code, payload.get("event"))

    module._send = send


def extend_generators(module: Any, _target: str) -> None:
    """Change `datapackage_pipelines.generators.generator_base`."""
    generate = module.GeneratorBase.internal_generate

    def internal_generate(generator: Any, source: Any, base: str) -> Any:
        try:
            inspect.signature(generator.generate_pipeline).bind(source, base)
        except TypeError:
            return _of_dpp_1(generator.generate_pipeline(source), base)
        return generate(generator, source, base)

    module.GeneratorBase.internal_generate = internal_generate


def _of_dpp_1(pipelines: Any, base: str) -> Iterator[Tuple[str, Any]]:
    """Yield pipelines with ids as dpp 1.x made them: below the folder of the source spec."""
    for pipeline_id, details in pipelines:
        is_source = pipeline_id.startswith(":") and pipeline_id.endswith(":")
        yield pipeline_id if is_source else os.path.join(base, pipeline_id), details


def _result(result: Any) -> Dict[str, Any]:
    errors = [str(line)[:ERROR_LINE_CHARACTERS] for line in result.errors or []]
    return {"success": result.success, "pipeline_id": result.pipeline_id, "stats": result.stats, "errors": errors}
