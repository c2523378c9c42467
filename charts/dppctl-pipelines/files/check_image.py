"""A helm test, run in the app's image: whether it has what the worker needs."""

import shutil
import sys

if sys.version_info < (3, 8):
    sys.exit(f"the image's python3 is {sys.version.split()[0]}; the worker needs 3.8 or newer")
if not shutil.which("dpp"):
    sys.exit("the image has no dpp on its PATH; install datapackage-pipelines in its Dockerfile")
print("python3 and dpp are there")
