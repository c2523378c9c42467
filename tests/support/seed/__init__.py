"""The dialogues that dppctl was asked for, in their own words (dialogues.md), and where ours differ."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TO_DB = "Dump datapackage to DB"
PRIVATE = "Private Cluster Initialization using Kamatera and usage of persistent pods"
PACKAGES = "Persistent Storage of Public Data Packages"
SITE = "Static HTML Website Hosting"
MINIKUBE_PUBLIC = "Using a local cluster with minikube, publish to public dppctl cluster"
DEPLOYMENT = "Use a custom docker image + continuous deployment"

# What is another one each time, and what stands for it. Names of pods have a hash of their own on a cluster.
_VARYING = (
    (r"https?://\S+", "URL"),
    (r"\bdppctl-(?:runs-)?(worker|db|database)s?(?:-[a-z0-9]+)+", r"\1-pod"),
    (r"\bdatabase-pod\b", "db-pod"),
    (r"Password: \S+", "Password: WORD"),
    (r"/\S+/site-packages/", "PACKAGES/"),
    (r"'[0-9a-f]{32}'", "'HASH'"),
    (r"\{'\.dpp': .*", "{"),  # two lines were written into one there
    (r"'bytes': None", "'bytes': N"),  # dpp does not count those that go to a database
    (r"\b(?=[0-9]*[a-f])[0-9a-f]{8}\b", "ID"),
    (r"\d+", "N"),
    (r", 'num rows': N", ""),  # dpp 2 counts rows once, as count_of_rows
)
_SIGN_UP = "Free Sign Up for The Kamatera Kubernetes service at"
# Lines of a dialogue, as `plain` has them, that are said otherwise, and why.
OTHERWISE: Mapping[str, str] = {
    # A word was misspelt.
    "dppctl initialization completed succesfully": "dppctl initialization completed successfully",
    # What was left open in the example.
    f"{_SIGN_UP} ???": f"{_SIGN_UP} URL",
}
# How a run on this machine is said otherwise than one on the public cluster.
ON_THIS_MACHINE = {
    "Using the public dppctl cluster": "Using the local cluster",
    "do not use for private data!": "",  # nobody else sees it
    "Run dppctl init --help for cluster initialization and configuration options": "",
    "System: PostgreSQL, Server: localhost, Username: postgres, Password: WORD": "System: SQLite, File: ",
    "Keeping the DB and Web UI running for N hour": "",  # these tests' pods end with the command
}
# How dpp 2 says in a worker's shell, from a pipe, what dpp 1 said on a terminal: without the state that is drawn anew.
IN_A_SHELL = {
    "./zones": "- ./zones (*)",
    "[./zones:T_N] >>> INFO    :- load_resource": "[./zones:T_N] >>> INFO    :- zones",  # the test's own first step
    "./zones: WAITING FOR OUTPUT": "",
    "./zones: RUNNING, processed N rows": "",
}
# Said where it is so, and not where pods wait already.
SOMETIMES = frozenset({"Waiting for available worker and DB pods"})


@dataclass(frozen=True)
class Exchange:
    """What is typed after a prompt, and what is answered."""

    command: str
    answer: tuple[str, ...]


def dialogue(title: str) -> list[Exchange]:
    """Return what is typed and answered below a title."""
    text = Path(__file__).with_name("dialogues.md").read_text(encoding="utf8")
    section = text.partition(f"### {title}\n")[2].partition("\n### ")[0]
    assert section, title
    found: list[Exchange] = []
    for block in re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^(?:dppctl-worker-\w+:~)?\$ ", block, flags=re.MULTILINE)[1:]:
            command, *answer = part.rstrip().split("\n")
            found.append(Exchange(command, tuple(line for line in answer if line.strip())))
    return found


def answer_to(title: str, command: str, number: int = 0) -> tuple[str, ...]:
    """Return what is answered to a command below a title; `number`: the first one of these, or a later one."""
    return [each.answer for each in dialogue(title) if each.command == command][number]


def file_of(title: str, name: str) -> str:
    """Return a file's content as a dialogue shows it (`cat NAME`)."""
    return "\n".join(answer_to(title, f"cat {name}")) + "\n"


# Which of its steps dpp sees ended first is a race.
_IN_ANY_ORDER = re.compile(r"\[\S+:T_N\] >>> INFO    :ID DONE (?!V )")


def plain(line: str) -> str:
    """Return a line with a word in the place of each name, address, hash and number."""
    for pattern, word in _VARYING:
        line = re.sub(pattern, word, line)
    return line.rstrip()


def not_said(expected: Iterable[str], said: str, otherwise: Mapping[str, str] | None = None) -> list[str]:
    """Return the lines of a dialogue that what was said does not have, in this order; ours may go on after their end.

    `otherwise`: more lines that are said in other words; "": are not said.
    """
    words = {**OTHERWISE, **(otherwise or {})}
    lines, missing = [plain(line) for line in said.splitlines()], []
    for line in map(plain, expected):
        wanted = words.get(line, line)
        if _IN_ANY_ORDER.match(wanted):
            missing += [] if any(plain(ours).startswith(wanted) for ours in said.splitlines()) else [wanted]
            continue
        at = next((index for index, ours in enumerate(lines) if ours.startswith(wanted)), None) if wanted else 0
        if at is None:
            missing += [] if wanted in SOMETIMES else [wanted]
        elif wanted:
            lines = lines[at + 1 :]
    return missing


def not_expected(said: str, expected: Sequence[str], otherwise: Mapping[str, str] | None = None) -> list[str]:
    """Return the lines that were said and that no dialogue has."""
    words = {**OTHERWISE, **(otherwise or {})}
    known = [words.get(line, line) for line in map(plain, expected)]
    return [line for line in map(plain, said.splitlines()) if not any(each and line.startswith(each) for each in known)]
