"""The chart of dppctl's servers, as it comes with dppctl, in a folder for helm."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from shutil import copytree, ignore_patterns


@contextmanager
def chart_folder() -> Iterator[Path]:
    """Give the chart's folder as long as the block: with the pipelines' chart in it, which makes the pool."""
    with as_file(files("charts")) as charts, tempfile.TemporaryDirectory(prefix="dppctl-chart-") as folder:
        made = Path(folder, "dppctl")
        # In a checkout `charts` is a link to the other chart, as helm wants it; a wheel has none.
        copytree(charts / "dppctl", made, ignore=ignore_patterns("charts", "__pycache__"))
        copytree(charts / "dppctl-pipelines", made / "charts" / "dppctl-pipelines")
        yield made
