"""`python -m worker`; in the zipapp, `python worker.pyz`."""

import sys

from worker.main import main

sys.exit(main())
