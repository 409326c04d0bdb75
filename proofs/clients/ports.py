"""Ports for servers that are stopped and started again."""

import random
import socket


def free_port() -> int:
    """A free port that no outgoing connection gets: Linux takes those from 32768 to 60999."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
