"""Run in dppctl's image before a Job's results are published: makes rclone's password.

The password is new in each pod and stays in the pod's memory. rclone gets its hash in a file, so that it stands
neither in its command line nor in its variables: https://rclone.org/rc/#rc-htpasswd-path
"""

import base64
import hashlib
import secrets
from pathlib import Path

password = secrets.token_urlsafe(32)
folder = Path("/run/rclone")
folder.joinpath("password").write_text(password)
hashed = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()  # noqa: S324 (of 256 random bits)
folder.joinpath("htpasswd").write_text("dppctl:{SHA}" + hashed + "\n")
