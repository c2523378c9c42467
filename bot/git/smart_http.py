"""Whether what answers git over HTTP is a git server.

git takes any answer of another type than a git server's for a folder of plain files (the "dumb" protocol), also a
proxy's login page, in which it finds no branch and no tag: https://git-scm.com/docs/gitprotocol-http#_smart_server_response
It has no setting against that, but its trace tells when a server has spoken its protocol:
https://git-scm.com/docs/api-trace2#_event_format
"""

# https://git-scm.com/docs/api-trace2#_enabling_a_target: to stderr, which all that git starts shares.
TRACING = {"GIT_TRACE2_EVENT": "2"}
_EVENT, _VERSION = '{"event":"', '"key":"negotiated-version"'
NO_SERVER = "the answer is not a git server's; is there a proxy, or its login page, in between?"


def split_trace(stderr: str) -> tuple[list[str], bool]:
    """Return what git says on stderr without its trace, as lines; and whether a git server has answered."""
    lines = stderr.splitlines()
    trace = [line for line in lines if line.startswith(_EVENT)]
    is_smart = any(line.startswith(f'{_EVENT}data"') and _VERSION in line for line in trace)
    return [line for line in lines if not line.startswith(_EVENT)], is_smart
