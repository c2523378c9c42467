"""The command `dppctl`. What is older than its Python hears so at once, and not where it breaks."""

import sys

if sys.version_info < (3, 11, 4):
    sys.stderr.write(
        "dppctl needs Python 3.11.4 or newer; this is %s. In a clone: make demo PYTHON=python3.12; elsewhere: "  # noqa: UP031
        "uv tool install --python 3.12 .\n" % sys.version.split()[0]
    )
    sys.exit(2)
