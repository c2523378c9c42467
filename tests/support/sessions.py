"""Sessions of a test's own."""

from collections.abc import Callable

from cluster.local.sessions.record import Session
from cluster.local.sessions.supervisor import Supervisor

StartRun = Callable[..., tuple[Session, Session, Supervisor]]
