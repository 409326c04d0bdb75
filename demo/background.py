"""An HTTP server in a thread of this process."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class BackgroundServer(ThreadingHTTPServer):
    """Answers on 127.0.0.1 from a thread of this process, until the `with` block is left."""

    daemon_threads = True

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", port), handler)
        # The shutdown waits for the next poll, which by default is half a second away.
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def __exit__(self, *error: object) -> None:
        # Before the socket is closed: a thread that waits at a closed socket waits no more, and takes a whole processor.
        self.shutdown()
        self.server_close()
