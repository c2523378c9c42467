"""What BuildKit's last words become, as its documentation and source have them: no BuildKit runs here."""

from pathlib import Path

import pytest

from bot.images.builders.buildkit.builder import ended_container
from bot.images.builders.buildkit_failures import failure
from bot.images.builders.failures import MAYBE_FULL, NO_ROOM
from bot.images.builders.interface import BuildError, BuildPutOffError, Order
from bot.process import Ended

FAILED_RUN = """\
#6 [2/3] RUN echo one; exit 3
#6 0.151 one
#6 ERROR: process "/bin/sh -c echo one; exit 3" did not complete successfully: exit code: 3
------
 > [2/3] RUN echo one; exit 3:
0.151 one
------
Dockerfile:2
--------------------
   1 |     FROM alpine
   2 | >>> RUN echo one; exit 3
   3 |     COPY . /
--------------------
ERROR: failed to solve: process "/bin/sh -c echo one; exit 3" did not complete successfully: exit code: 3"""
MISSING_FILE = """\
Dockerfile:2
--------------------
   1 |     FROM scratch
   2 | >>> COPY nothing /x
--------------------
error: failed to solve: failed to compute cache key: failed to calculate checksum of ref a::b: "/nothing": not found"""
NO_IMAGE = """\
Dockerfile:1
--------------------
   1 | >>> FROM r.example.org/nothing:1
--------------------
ERROR: failed to solve: r.example.org/nothing:1: failed to resolve source metadata for r.example.org/nothing:1: \
r.example.org/nothing:1: not found"""
REFUSED = 'Head "https://r.example.org/v2/app/blobs/a": dial tcp 10.0.0.1:443: connect: connection refused'
ADDED = """\
Dockerfile:2
--------------------
   1 |     FROM scratch
   2 | >>> ADD https://ann:s3cret@files.example.org/a?token=s3cret /a
--------------------
ERROR: failed to solve: failed to load cache key: """
SAYS_FULL = """\
------
 > [2/3] RUN echo "no space left on device, cannot connect to the docker daemon"; exit 3:
0.151 No space left on device
------
ERROR: failed to solve: process "/bin/sh -c echo \\"no space left on device, cannot connect to the docker daemon\\"; \
exit 3" did not complete successfully: exit code: 3"""
# What they say of their own disk: of a layer, a snapshot, the context, an export, docker's client and daemon.
FULL = tuple(
    f"{words}: {end}"
    for words, end in [
        ("ERROR: failed to solve: write /var/lib/x", "no space left on device"),
        (
            "#5 ERROR: y\nERROR: failed to build: failed to solve: failed to extract layer: write x",
            "No space left on device",
        ),
        ("ERROR: failed to solve: failed to prepare extraction snapshot: mkdir /x", "no space left on device: unknown"),
        (
            "ERROR: failed to solve: failed to compute cache key: userspace copy failed: write",
            "no space left on device",
        ),
        ("ERROR: failed to solve: ResourceExhausted: failed to copy: write /var/lib/x", "disk quota exceeded"),
        ("ERROR: failed to update builder last activity time: open /root/.docker/.tmp", "no space left on device"),
        ("Error response from daemon: write /var/lib/docker/tmp/x", "no space left on device"),
        ("error: failed to push r.example.org/app:1: write /var/lib/x", "no space left on device"),
        ('ERROR: failed to solve: process "make" did not complete successfully: mount', "no space left on device"),
    ]
)
CASES = {
    f"{ADDED}invalid response status 403": (
        BuildError,
        "Dockerfile:2: cannot get https://files.example.org/a, which ADD names: it answers 403; correct the URL",
    ),
    f"{ADDED}invalid response status 503": (
        BuildPutOffError,
        "Dockerfile:2: cannot get https://files.example.org/a, which ADD names: answers 503",
    ),
    f'{ADDED}Get "https://ann:***@files.example.org/a?token=s3cret": dial tcp 10.0.0.1:443: connection refused': (
        BuildPutOffError,
        (
            "Dockerfile:2: cannot get https://files.example.org/a, which ADD names: failed to load cache key: "
            'Get "https://files.example.org/a": dial tcp 10.0.0.1:443: connection refused'
        ),
    ),
    SAYS_FULL: (
        BuildError,
        (
            'Dockerfile: echo \\"no space left on device, cannot connect to the docker daemon\\"; exit 3: exit code 3 '
            f"({MAYBE_FULL}); its last lines:\nNo space left on device"
        ),
    ),
    FAILED_RUN: (BuildError, "Dockerfile:2: echo one; exit 3: exit code 3; its last lines:\none"),
    MISSING_FILE: (
        BuildError,
        "Dockerfile:2: there is no nothing in the app's folder, or .dockerignore leaves it out",
    ),
    NO_IMAGE: (
        BuildError,
        "there is no image r.example.org/nothing:1; correct the Dockerfile's FROM or COPY --from",
    ),
    "ERROR: failed to solve: dockerfile parse error on line 3: unknown instruction: FOO": (
        BuildError,
        "Dockerfile:3: unknown instruction: FOO",
    ),
    'ERROR: failed to solve: target stage "big" could not be found': (
        BuildError,
        "Dockerfile has no stage 'big'; correct the target, or add `FROM … AS big`",
    ),
    f"ERROR: failed to solve: failed to push r.example.org/app:1: {REFUSED}": (
        BuildPutOffError,
        (
            "cannot push r.example.org/app:1: the registry r.example.org does not answer as it should: failed to push "
            f"r.example.org/app:1: {REFUSED}"
        ),
    ),
    "ERROR: failed to solve: failed to push r.example.org/app:1: push access denied, repository does not exist or may "
    "require authorization: authorization failed: no basic auth credentials": (
        BuildPutOffError,
        (
            "cannot push r.example.org/app:1: the registry r.example.org asks for a login, or refuses the one it got: "
            "give one that may in the file that DPPCTL_REGISTRY_AUTH_FILE names"
        ),
    ),
    **dict.fromkeys(FULL, (BuildPutOffError, NO_ROOM)),
    "ERROR: Cannot connect to the Docker daemon at unix:///none": (
        BuildPutOffError,
        "docker: the daemon does not answer: Cannot connect to the Docker daemon at unix:///none",
    ),
    "#1 something": (BuildError, "Dockerfile: #1 something"),
    "": (BuildError, "Dockerfile: the builder ended with 1"),
}


@pytest.mark.parametrize("words", CASES)
def test_its_last_words_become_one_line(words: str, tmp_path: Path) -> None:
    order = Order(context=tmp_path, dockerfile=tmp_path / "Dockerfile", destination="r.example.org/app:1")
    found = failure(Ended(1, words.splitlines()), order)
    assert (type(found), str(found)) == CASES[words]


def test_a_build_that_its_node_evicts_is_put_off_and_not_waited_for() -> None:
    """Of an evicted pod's containers nothing is said."""
    said = "The node was low on resource: ephemeral-storage."
    evicted = {"status": {"phase": "Failed", "reason": "Evicted", "message": said}}
    with pytest.raises(BuildPutOffError, match=f"^the cluster's node ended the build: Evicted: {said}$"):
        ended_container(evicted)
    terminated = {"name": "buildkit", "state": {"terminated": {"exitCode": 1}}}
    assert ended_container({"status": {"phase": "Failed", "containerStatuses": [terminated]}}) == {"exitCode": 1}
    assert ended_container({}) is None
