"""Makes the password of the rclone that copies to a bucket: the charts run it before, in dppctl's image.

    python3 -m cluster.publisher.rclone_password [--make FOLDER]

The password is new in each pod and stays in the pod's memory. rclone gets its hash in a file, so that it stands
neither in its command line nor in its variables: https://rclone.org/rc/#rc-htpasswd-path
"""

import argparse
import base64
import hashlib
import secrets
from pathlib import Path

USER = "dppctl"


def make_password(folder: Path) -> None:
    """Write `password` for who asks rclone, and `htpasswd` for rclone. Raises OSError."""
    password = secrets.token_urlsafe(32)
    (folder / "password").write_text(password)
    hashed = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()  # noqa: S324 (of 256 random bits)
    (folder / "htpasswd").write_text(f"{USER}:{{SHA}}{hashed}\n")


def main() -> None:
    """Make a password, and the folder that rclone is to see: a mount must find it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", type=Path, metavar="FOLDER", help="a folder that must be there for rclone")
    parser.add_argument("--folder", type=Path, default=Path("/run/rclone"), help="where the two files go")
    options = parser.parse_args()
    if options.make:
        options.make.mkdir(parents=True, exist_ok=True)
    make_password(options.folder)


if __name__ == "__main__":
    main()
