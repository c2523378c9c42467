"""Other tools that take the big job's files into a database: each a program, in an environment that is made once.

dataflows is run in dpp's own environment, where it is as the lock has it. An environment with a tool that cannot be
installed is none: the tool is said to be missing.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import uv

from cluster.local.folders import cache_dir

# What is installed, by the tool.
PINS = {
    "dlt": ["dlt[postgres,sqlalchemy]==1.31.0", "sqlalchemy==2.1.9"],
    "pandas": ["pandas==3.1.1", "sqlalchemy==2.1.9", "psycopg[binary]==3.3.9"],
}
TOOLS = ("dataflows", *PINS)
# Each is given the folder of the files, and the URL of the database as SQLAlchemy and psycopg 3 take it.
PROGRAMS = {
    "dataflows": """\
import json
import sys
from pathlib import Path

from dataflows import Flow, dump_to_sql, load

folder, engine = sys.argv[1:]
names = [each["name"] for each in json.loads(Path(folder, "datapackage.json").read_text())["resources"]]
tables = {name.replace("-", "_"): {"resource-name": name} for name in names}
Flow(load(str(Path(folder, "datapackage.json"))), dump_to_sql(tables, engine=engine)).process()
""",
    "dlt": """\
import csv
import json
import sys
from pathlib import Path

import dlt

folder, engine = sys.argv[1:]
types = {"integer": "bigint", "number": "decimal", "date": "date", "datetime": "timestamp", "boolean": "bool"}


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {key: value if value != "" else None for key, value in row.items()}


package = json.loads(Path(folder, "datapackage.json").read_text())
resources = [
    dlt.resource(
        rows(Path(folder, each["path"])),
        name=each["name"].replace("-", "_"),
        columns={
            field["name"]: {"data_type": types.get(field["type"], "text")} for field in each["schema"]["fields"]
        },
    )
    for each in package["resources"]
]
credentials = engine.replace("postgresql+psycopg:", "postgresql:")
destination = dlt.destinations.postgres if credentials.startswith("postgresql:") else dlt.destinations.sqlalchemy
pipeline = dlt.pipeline("job", pipelines_dir=sys.path[0], destination=destination(credentials), dataset_name="main"
                        if destination is dlt.destinations.sqlalchemy else "public")
pipeline.run(resources)
""",
    "pandas": """\
import json
import sys
from pathlib import Path

import pandas
import sqlalchemy

folder, engine = sys.argv[1:]
package = json.loads(Path(folder, "datapackage.json").read_text())
with sqlalchemy.create_engine(engine).begin() as connection:
    for each in package["resources"]:
        fields = {field["name"]: field["type"] for field in each["schema"]["fields"]}
        times = [name for name, kind in fields.items() if kind in ("date", "datetime")]
        table = pandas.read_csv(Path(folder, each["path"]), parse_dates=times)
        table.to_sql(each["name"].replace("-", "_"), connection, index=False, if_exists="replace")
""",
}


def python_of(tool: str) -> Path | None:
    """Return the Python of the environment of dlt or pandas, made if it is missing; None when it cannot be made."""
    pins = PINS[tool]
    folder = cache_dir() / "benchmarks" / "-".join(pins).translate(str.maketrans("[],=", "----"))
    python = folder / "bin" / "python"
    if not python.exists():
        program = uv.find_uv_bin()
        fresh = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            for command in (
                [program, "venv", "--quiet", "--relocatable", "--python", sys.executable, fresh],
                [
                    program,
                    "pip",
                    "install",
                    "--quiet",
                    "--compile-bytecode",
                    "--python",
                    fresh / "bin" / "python",
                    *pins,
                ],
            ):
                subprocess.run(command, check=True)
        except subprocess.CalledProcessError:
            shutil.rmtree(fresh, ignore_errors=True)
            return None
        fresh.rename(folder)
    return python
