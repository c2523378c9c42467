"""How dppctl is installed, from a clone."""

import shutil
from pathlib import Path

from tests.support.docs.shell import Shell
from tests.support.environment import REPOSITORY


def test_it_is_installed_as_a_tool(shell: Shell, tmp_path: Path) -> None:
    """From a copy, as a build leaves files beside the sources."""
    shell.folder = tmp_path
    shell.prepares(f"git clone --quiet {REPOSITORY} dppctl && cd dppctl")
    tools = tmp_path / "tools"
    shell.environment |= {"UV_TOOL_DIR": str(tools), "UV_TOOL_BIN_DIR": str(tools / "bin")}
    shell.types("uv tool install .")
    assert shell.prepares(f"{tools}/bin/dppctl --version").startswith("dppctl, version ")
    shutil.rmtree(tools)
