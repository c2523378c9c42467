"""What builders are tried with."""

import socket
import threading
from collections.abc import Callable

from bot.images.builders.interface import Builder, Order

# A whole system in one program, so that a RUN needs no base image from a registry.
# In one layer: each takes half a second of the processor.
BUSYBOX = """
    FROM scratch AS base
    # busybox, and sh as a link to it
    COPY root /
"""


App = Callable[..., Order]


def built(builder: Builder, order: Order) -> tuple[str, list[str]]:
    """The digest and the lines of the log."""
    lines: list[str] = []
    return builder.build(order, lines.append, threading.Event()), lines


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


DOCKERFILE = """
    FROM scratch
    COPY busybox /bin/busybox
    COPY busybox /bin/sh
    RUN busybox echo built > /built
    WORKDIR /app
    COPY . .
"""
