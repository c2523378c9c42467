"""Run at a waiting worker's start, in dppctl's image: puts the worker into the pod, and its token.

The token is made from the key of all pools and this pod's own uid, so that nothing is kept of it.
"""

import hashlib
import hmac
import os
import shutil
from pathlib import Path

shutil.copyfile("/opt/dppctl/worker.pyz", "/dppctl/worker.pyz")
os.makedirs("/dppctl/home", exist_ok=True)
key = Path("/dppctl-key/key").read_bytes()
Path("/dppctl/token").write_text(hmac.new(key, os.environ["POD_UID"].encode(), hashlib.sha256).hexdigest())
