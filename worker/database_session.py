"""A session with PostgreSQL that is open as long as a run, so that other runs see that it is alive.

Runs of one environment on a cluster take turns at its database (cluster/next_database); a worker that is killed has no
session any more. An app's image need not have a driver that the worker could use, so it speaks the protocol itself:
https://www.postgresql.org/docs/current/protocol-flow.html
"""

import base64
import hashlib
import hmac
import os
import select
import socket
import struct
import sys
import threading
from typing import Dict, Optional, Tuple
from urllib.parse import unquote, urlsplit

from worker.limits import DATABASE_ANSWER_SECONDS, DATABASE_HOLD_SECONDS, DATABASE_TRY_SECONDS

_PROTOCOL = 196608  # 3.0
# After a run that succeeded its turn goes on for some time, until its pod's next container has a session; else it ends.
_END = """DO $do$
DECLARE found record;
BEGIN
  SELECT datname, shobj_description(oid, 'pg_database')::jsonb AS note INTO found
    FROM pg_database WHERE datname = {next};
  IF found.note ->> 'run' = {run} THEN
    EXECUTE format('COMMENT ON DATABASE %I IS %L', found.datname, CASE WHEN {goes_on} THEN jsonb_set(
      found.note, '{{until}}', to_jsonb(extract(epoch FROM clock_timestamp()) + {seconds}))::text ELSE '' END);
  END IF;
END $do$"""


class SessionError(Exception):
    """The server refuses the session, or says something that is not understood here."""


class DatabaseSession:
    """A session named `dppctl run RUN` with a database's server; it is made again when it is lost."""

    def __init__(self, url: str, run: str) -> None:
        """Take the URL of the database that the run writes to; the session is in another one, beside it."""
        self._url = urlsplit(url)
        self._run = run
        self._goes_on = False
        self._ends, self._end = socket.socketpair()
        self._thread = threading.Thread(target=self._hold, name="database session", daemon=True)

    def start(self) -> None:
        """Begin; a server that does not answer is asked again, and holds up nothing."""
        self._thread.start()

    def close(self, goes_on: bool) -> None:
        """End the session and the run's turn; `goes_on`: the turn is its pod's next container's."""
        self._goes_on = goes_on
        self._end.close()
        self._thread.join(2 * DATABASE_ANSWER_SECONDS)

    def _hold(self) -> None:
        said = ""
        while True:
            try:
                with self._open() as connection:
                    if self._lasts(connection):
                        self._end_turn(connection)
                        return
                    raise SessionError("the server ended it")
            except (OSError, SessionError) as error:
                if str(error) != said:
                    said = str(error)
                    sys.stderr.write(f"no session with the database, which tells other runs to wait: {said}\n")
            if select.select([self._ends], [], [], DATABASE_TRY_SECONDS)[0]:
                return

    def _lasts(self, connection: socket.socket) -> bool:
        """Return True when `close` is called, False when the server ends the session."""
        while True:
            ready, _, _ = select.select([self._ends, connection], [], [])
            if self._ends in ready:
                return True
            if not connection.recv(65536):  # what it says by itself says nothing here
                return False

    def _end_turn(self, connection: socket.socket) -> None:
        text = _END.format(
            next=_literal(unquote(self._url.path[1:])),
            run=_literal(self._run),
            goes_on="true" if self._goes_on else "false",
            seconds=DATABASE_HOLD_SECONDS,
        )
        _send(connection, b"Q", text.encode() + b"\0")
        _until_ready(connection)

    def _open(self) -> socket.socket:
        user, name = unquote(self._url.username or ""), unquote(self._url.path[1:])
        options = {
            "user": user,
            "database": "template1" if name == "postgres_next" else "postgres",
            "application_name": f"dppctl run {self._run}",
            "tcp_keepalives_idle": "30",  # a node that is gone says no goodbye
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
        }
        text = b"".join(part.encode() + b"\0" for pair in options.items() for part in pair) + b"\0"
        address = (self._url.hostname or "", self._url.port or 5432)
        connection = socket.create_connection(address, timeout=DATABASE_ANSWER_SECONDS)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.sendall(struct.pack("!ii", len(text) + 8, _PROTOCOL) + text)
            _authenticate(connection, user, unquote(self._url.password or ""))
            _until_ready(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def session_of(environment: Dict[str, str]) -> Optional[DatabaseSession]:
    """Return the session that the variables ask for, which are taken out of them; None: they ask for none."""
    url, run = environment.pop("DPPCTL_RUN_DATABASE", ""), environment.pop("DPPCTL_RUN", "")
    return DatabaseSession(url, run) if url and run else None


def _authenticate(connection: socket.socket, user: str, password: str) -> None:
    """Answer what the server asks for. Raises SessionError.

    https://www.postgresql.org/docs/current/protocol-message-formats.html
    """
    while True:
        kind, body = _receive(connection)
        (asked,) = struct.unpack("!i", body[:4]) if kind == b"R" else (-1,)
        if asked == 0:
            return
        if asked == 3:
            _send(connection, b"p", password.encode() + b"\0")
        elif asked == 5:
            inner = hashlib.md5((password + user).encode()).hexdigest()  # noqa: S324 (as the server wants it)
            outer = hashlib.md5(inner.encode() + body[4:8]).hexdigest()  # noqa: S324
            _send(connection, b"p", f"md5{outer}".encode() + b"\0")
        elif asked == 10:
            _scram(connection, password)
        else:
            raise SessionError(f"the server asks for an authentication that is unknown here ({asked})")


def _scram(connection: socket.socket, password: str) -> None:
    """Authenticate by SCRAM-SHA-256: https://www.rfc-editor.org/rfc/rfc5802. Raises SessionError."""
    nonce = base64.b64encode(os.urandom(18)).decode()
    first = f"n=,r={nonce}"
    begin = f"n,,{first}".encode()
    _send(connection, b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(begin)) + begin)
    challenge = _receive(connection)[1][4:].decode()
    given = dict(part.split("=", 1) for part in challenge.split(","))
    if not given["r"].startswith(nonce):
        raise SessionError("the server's answer is not to this session")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(given["s"]), int(given["i"]))
    last = f"c=biws,r={given['r']}"
    signed = f"{first},{challenge},{last}".encode()
    key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    signature = hmac.new(hashlib.sha256(key).digest(), signed, hashlib.sha256).digest()
    proof = base64.b64encode(bytes(one ^ other for one, other in zip(key, signature))).decode()
    _send(connection, b"p", f"{last},p={proof}".encode())
    server_key = hmac.new(salted, b"Server Key", hashlib.sha256).digest()
    expected = base64.b64encode(hmac.new(server_key, signed, hashlib.sha256).digest()).decode()
    if _receive(connection)[1][4:].decode() != f"v={expected}":
        raise SessionError("the server does not know the password either")


def _until_ready(connection: socket.socket) -> None:
    while _receive(connection)[0] != b"Z":
        continue


def _send(connection: socket.socket, kind: bytes, body: bytes) -> None:
    connection.sendall(kind + struct.pack("!i", len(body) + 4) + body)


def _receive(connection: socket.socket) -> Tuple[bytes, bytes]:
    """Return a message's kind and body. Raises SessionError for an error's message, and OSError."""
    head = _exactly(connection, 5)
    body = _exactly(connection, struct.unpack("!i", head[1:])[0] - 4)
    if head[:1] == b"E":
        fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
        raise SessionError(fields.get(b"M", "the server refuses it"))
    return head[:1], body


def _exactly(connection: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        part = connection.recv(length - len(found))
        if not part:
            raise SessionError("the server ended it")
        found += part
    return found


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
