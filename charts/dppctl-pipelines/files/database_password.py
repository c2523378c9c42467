"""Run at a waiting database's start, in dppctl's image: puts its password into the pod.

The password is made from the key of all pools and this pod's own uid, so that nothing is kept of it.
"""

import hashlib
import hmac
import os
from pathlib import Path

key = Path("/dppctl-key/key").read_bytes()
text = b"db" + os.environ["POD_UID"].encode()
Path("/dppctl/password").write_text(hmac.new(key, text, hashlib.sha256).hexdigest())
