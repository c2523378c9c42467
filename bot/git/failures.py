"""What git says when GitHub refuses, as one line that says what to do, and whether another try may help."""

import re

from bot.git.errors import CopyError, GitError, NoRepositoryError, PermanentGitError, TransientGitError
from bot.git.smart_http import NO_SERVER

# The first that is found in git's words counts. Of this disk:
_LOCAL_PERMANENT = [
    (
        r"dubious ownership in repository at '(?P<folder>[^'\n]+)'",
        "{folder} belongs to another user; run dppctl as that user, or make it yours: chown -R USER {folder}",
    ),
    (
        r"^(?!remote:)(?P<what>.*(?:insufficient permission for adding|Permission denied$|Read-only file system$).*)$",
        "{what}; let this user write to the folder",
    ),
]
_LOCAL_TRANSIENT = [(r"^(?!remote:).*No space left on device", "the disk is full; make room on it")]
_COPY = [
    (
        r"^(?!remote:).*Unable to create '(?P<file>[^'\n]+\.lock)': File exists",
        "{file} is there: another git works in this repository, or one was killed",
    )
]
_NO_REPOSITORY = [(r"^fatal: (?P<what>not a git repository.*)$", "{what}")]
# Of the forge; these wait for a person:
_PERMANENT = [
    (
        r"GH0(?:06|13)(?s:.*?)refs/heads/(?P<branch>[^\s:]*[^\s:.])",
        "GitHub protects {branch}: let the bot's user bypass that (the repository's Settings, Branches or Rules)",
    ),
    (
        r"SAML SSO(?s:.*?)(?P<url>https://\S+)",
        "the organization wants {who} to be authorized for its single sign-on: open {url}",
    ),
    (r"archived so it is read-only", "the repository is archived; unarchive it or take it out of apps.yaml"),
    (r"marked as read only|denied to deploy key", "{who} may only read; add it again with write access (dppctl init)"),
    (
        r"Permission to (?P<repository>\S+?)(?:\.git)? denied to (?P<user>[\w\[\]-]+)",
        "{user} may not push to {repository}; give it write access, and {who} contents: write (scope repo)",
    ),
    (
        r"Authentication failed|could not read Username|returned error: 401",
        "GitHub does not accept {who}: it is wrong, expired or revoked; put a new one there",
    ),
    (
        r"(?P<why>SSL certificate problem: .*|server certificate verification failed.*|x509: certificate.*)",
        (
            "GitHub's certificate is not believed ({why}); if it is of an authority of your own, DPPCTL_GITHUB_CA is "
            "to name that one's certificate, a file (PEM)"
        ),
    ),
    (r"Permission denied \(publickey\)", "GitHub does not know {who}: it was deleted there; run dppctl init again"),
    (
        r"Host key verification failed",
        "the host's key is not in DPPCTL_GITHUB_HOST_KEYS; run dppctl init again, which asks GitHub for its keys",
    ),
    (r"cannot run ssh|ssh: (?:command )?not found", "{who} needs the program ssh; install openssh-client"),
    (
        r"returned error: 30[18]",
        "the repository was renamed or moved; correct its name in apps.yaml and .dppctl.yaml",
    ),
    (
        r"Repository not found|repository '\S+' not found|returned error: 404",
        "there is no such repository, or {who} does not reach it",
    ),
    (r"returned error: 403", "GitHub forbids it; {who} needs contents: write (scope repo) there"),
]
# And these pass by themselves.
_TRANSIENT = [
    (
        r"returned error: 30[237]",
        "the answer leads elsewhere, as to a proxy's login page; was the repository moved? Then correct apps.yaml",
    ),
    (
        (
            r"info/refs not valid: is this a git repository|git-http-push failed"
            r"|bad line length character|expected flush after ref listing"
        ),
        NO_SERVER,
    ),
    (r"returned error: 429", "GitHub takes no more calls for a while"),
    (
        r"returned error: (?P<status>5\d\d)",
        "GitHub has a problem of its own ({status}); see https://www.githubstatus.com",
    ),
    (
        (
            r"Could not resolve host|Failed to connect|Couldn't connect|unreachable|No route to host"
            r"|Connection (?:refused|timed out|closed by|reset by)"
        ),
        "GitHub cannot be reached; is there a network?",
    ),
    (r"Operation too slow", "GitHub sends nothing any more; DPPCTL_GIT_SILENCE_SECONDS is how long that is waited for"),
]
# What the other side, or the way to it, has to do with; the words are best as they are.
_REMOTE = re.compile(
    r"\[(?:remote )?rejected\]|^remote: (?:fatal|error|aborting)|remote error:|the remote end hung up|early EOF"
    r"|RPC failed|unexpected disconnect|unable to access 'http|Could not read from remote repository|protocol error",
    re.MULTILINE,
)
_PROGRESS = re.compile(
    r"hint:|From |remote: +$|(?:remote: )?[A-Z][a-z]+ing [\w ]+: .*(?:%|done\.?)|.* -> \S+$|remote: Total "
)


def explain(words: str, who: str | None) -> tuple[str, type[GitError]] | None:
    """Return what to do about it, of all that git wrote to stderr, and what kind of error it is; None: nothing known.

    `who`: in whose name it went to the forge; None: it did not.
    """
    known: list[tuple[list[tuple[str, str]], type[GitError]]] = [
        (_LOCAL_PERMANENT, PermanentGitError),
        (_LOCAL_TRANSIENT, TransientGitError),
        (_COPY, CopyError),
        (_NO_REPOSITORY, NoRepositoryError),
    ]
    if who is not None:
        known += [(_PERMANENT, PermanentGitError), (_TRANSIENT, TransientGitError)]
    for signs, kind in known:
        for sign, text in signs:
            if found := re.search(sign, words, re.MULTILINE):
                return text.format(who=who, **found.groupdict()), kind
    return None


def quote(words: str) -> tuple[str, type[GitError]]:
    """Return what git said last, of words that are not known, and what kind of error that is."""
    lines = [line.strip() for line in words.splitlines() if line.strip() and not _PROGRESS.match(line.strip())]
    return " / ".join(lines[-4:]), TransientGitError if _REMOTE.search(words) else CopyError
