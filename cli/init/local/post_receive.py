#!/usr/bin/env python3
"""A git hook that tells dppctl about a push, in the way GitHub does. It connects any git server to dppctl.

Copy it to `hooks/post-receive` of the bare repository, make it executable, and say where to send to:

    git config dppctl.url http://127.0.0.1:8080/webhooks/github
    git config dppctl.repository OWNER/REPO           # its name in apps.yaml
    git config dppctl.secretFile /path/to/secret      # the webhook secret, in a file that only you can read

git gives the hook a line for each ref: https://git-scm.com/docs/githooks#post-receive
The fields and headers are those of https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
"""

import hashlib
import hmac
import json
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

NONE = "0" * 40


def main() -> None:
    """Send a delivery for each branch and tag that was pushed. A receiver that is down does not fail the push."""
    secret = Path(git("config", "dppctl.secretFile")).read_bytes().strip()
    url, repository = git("config", "dppctl.url"), git("config", "dppctl.repository")
    for line in sys.stdin:
        before, after, ref = line.split()
        body = json.dumps(payload(repository, ref, before, after)).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
        }
        try:
            asked = urllib.request.Request(url, body, headers)  # noqa: S310 (as the repository's owner has configured)
            with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
                print(f"dppctl: {ref}: {answer.status} {json.load(answer).get('outcome')}")
        except urllib.error.HTTPError as error:
            print(f"dppctl: {ref}: {error.code} {error.read().decode()}")
        except OSError as error:
            print(f"dppctl: {ref}: not delivered ({error}); it looks by itself every few minutes")


def payload(repository: str, ref: str, before: str, after: str) -> dict[str, Any]:
    """Return GitHub's payload for such a push, without the parts that need GitHub (its URLs, its users)."""
    owner, _, name = repository.partition("/")
    forced = NONE not in (before, after) and not is_ancestor(before, after)
    head = None if after == NONE else commit(after)
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "created": before == NONE,
        "deleted": after == NONE,
        "forced": forced,
        "base_ref": None,
        "repository": {"name": name, "full_name": repository, "private": True, "owner": {"name": owner}},
        "pusher": {"name": head["committer"]["name"] if head else "git"},
        "commits": [head] if head else [],
        "head_commit": head,
    }


def commit(revision: str) -> dict[str, Any] | None:
    """Return the commit that a branch or a tag names in the end; None: it names a tree or a file, as a tag may."""
    if not succeeds("rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}"):
        return None
    fields = git("show", "--no-patch", "--format=%H%n%T%n%cI%n%an%n%ae%n%cn%n%ce%n%B", f"{revision}^{{commit}}")
    sha, tree, when, author, author_email, committer, email, message = fields.split("\n", 7)
    return {
        "id": sha,
        "tree_id": tree,
        "timestamp": when,
        "message": message.strip(),
        "author": {"name": author, "email": author_email},
        "committer": {"name": committer, "email": email},
    }


def is_ancestor(before: str, after: str) -> bool:
    """Return whether the push was a fast-forward."""
    return succeeds("merge-base", "--is-ancestor", before, after)


def succeeds(*arguments: str) -> bool:
    """Return whether git says yes."""
    silent = subprocess.DEVNULL
    return subprocess.run(["git", *arguments], check=False, stdout=silent, stderr=silent).returncode == 0


def git(*arguments: str) -> str:
    """Return what git answers in this repository."""
    return subprocess.run(["git", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    main()
