"""Every example runs as its README says, and what it promises comes out."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Dppctl
from tests.support.docs.pages import commands
from tests.support.environment import REPOSITORY

EXAMPLES = sorted(spec.parent for spec in (REPOSITORY / "examples").glob("*/*spec.yaml"))


@dataclass(frozen=True)
class Run:
    """`results`: the receipt's pipelines by their ids. `stderr`: what a person reads."""

    folder: Path
    code: int
    results: dict[str, dict[str, Any]]
    stderr: str

    def rows(self) -> dict[str, int]:
        return {id_: result["rows"] for id_, result in self.results.items()}


RunExample = Callable[..., Run]


@pytest.fixture
def run_example(dppctl: Dppctl, tmp_path: Path) -> RunExample:
    """Runs a copy of the example with the command of its README, and options behind it."""

    def run(name: str, *arguments: str) -> Run:
        folder = tmp_path / name
        shutil.copytree(REPOSITORY / "examples" / name, folder, ignore=shutil.ignore_patterns("data", ".code", ".dpp"))
        first = next(one.text for one in commands(f"examples/{name}/README.md") if one.text.startswith("dppctl run"))
        done = dppctl(*first.split()[1:], "--output", "json", *arguments, cwd=folder)
        assert done.stdout, done.stderr
        receipt = json.loads(done.stdout.splitlines()[-1])
        return Run(folder, done.returncode, {result["id"]: result for result in receipt["pipelines"]}, done.stderr)

    return run


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_example_has_a_readme_that_says_how_to_run_it(folder: Path) -> None:
    readme = (folder / "README.md").read_text()
    assert readme.startswith("# ")
    assert "\n    dppctl run" in readme


def test_tz_data_fills_three_typed_tables(run_example: RunExample, tmp_path: Path) -> None:
    database = tmp_path / "tz.sqlite"
    run = run_example("tz-data", "--db", f"sqlite:///{database}")
    assert run.code == 0, run.stderr
    with sqlite3.connect(database) as connection:
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("countries", "zones", "zone_countries")
        }
        assert run.rows() == {
            "./countries-to-db": counts["countries"],
            "./zones-to-db": counts["zones"] + counts["zone_countries"],
        }
        assert counts["countries"] > 240
        assert counts["zones"] > 300
        place = connection.execute("SELECT round(latitude), round(longitude) FROM zones WHERE name = 'Asia/Jerusalem'")
        assert place.fetchone() == (32, 35)
        (query,) = (line for line in (run.folder / "README.md").read_text().splitlines() if "SELECT" in line)
        assert connection.execute(query).fetchone()[0] == "United States"
    zones, zone_countries = run.results["./zones-to-db"]["resources"]
    assert {field["name"]: field["type"] for field in zones["fields"]} == {
        "name": "string",
        "latitude": "number",
        "longitude": "number",
        "comments": "string",
    }
    assert zone_countries["rows"] == counts["zone_countries"]


def test_data_package_writes_iso_dates_and_their_types(run_example: RunExample) -> None:
    run = run_example("data-package")
    assert run.code == 0, run.stderr
    assert run.rows() == {"./dump-to-path": 27}
    written = run.folder / "data/leap-seconds"
    assert (written / "leap-seconds.csv").read_text().splitlines()[:2] == ["day,behind", "1972-06-30,11"]
    package = json.loads((written / "datapackage.json").read_text())
    assert package["title"] == "Leap seconds since 1972"
    assert [field["type"] for field in package["resources"][0]["schema"]["fields"]] == ["date", "integer"]


def test_static_site_leaves_pages_whose_links_all_lead_somewhere(run_example: RunExample) -> None:
    run = run_example("static-site")
    assert run.code == 0, run.stderr
    assert run.rows() == {"./render_index": 0, "./render_list": 27}
    site = run.folder / "data"
    pages = list(site.rglob("*.html"))
    assert len(pages) == 29
    for page in pages:
        for link in page.read_text().split('href="')[1:]:
            assert (page.parent / link.partition('"')[0]).resolve() in pages
    assert "720 members from 27 states" in (site / "states/index.html").read_text()


def test_failing_fails_with_the_traceback_of_the_processor_and_succeeds_when_mended_as_its_readme_says(
    run_example: RunExample, dppctl: Dppctl
) -> None:
    run = run_example("failing")
    assert run.code == 1
    result = run.results["./check-budget"]
    assert result["status"] == "failed"
    assert "Traceback" in result["error"]
    assert result["error"].splitlines()[-1] == "ValueError: the amounts add up to 900, not to 1000"
    spec = run.folder / "pipeline-spec.yaml"
    spec.write_text(spec.read_text().replace("total: 1000", "total: 900"))
    assert dppctl("run", cwd=run.folder).returncode == 0


def test_dependencies_run_in_their_order_and_feed_each_other(run_example: RunExample) -> None:
    run = run_example("dependencies")
    assert run.code == 0, run.stderr
    assert list(run.results) == ["./spending", "./spending-by-year"]
    sums = (run.folder / "data/spending-by-year/spending-by-year.csv").read_text()
    assert sums.split() == ["year,amount", "2023,880", "2024,900"]


def test_source_spec_makes_the_pipeline_that_is_asked_for(run_example: RunExample) -> None:
    run = run_example("source-spec")
    assert run.code == 0, run.stderr
    assert run.rows() == {"./parks": 3}
    assert (run.folder / "data/parks/datapackage.json").exists()
    assert not (run.folder / "data/libraries").exists()


def test_with_requirements_imports_a_package_that_dpp_does_not_bring(run_example: RunExample) -> None:
    run = run_example("with-requirements")
    assert run.code == 0, run.stderr
    (budget,) = run.results["./tidy-names"]["resources"]
    assert [field["name"] for field in budget["fields"]] == ["item_name", "total_amount", "fiscal_year"]
