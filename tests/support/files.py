"""A real file server on a free port."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

REDIRECT = "/redirect-to/"


class _Quiet(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        """A file; what follows REDIRECT, percent-encoded, is where a redirect leads."""
        if not self.path.startswith(REDIRECT):
            super().do_GET()
            return
        self.send_response(302)
        self.send_header("Location", unquote(self.path.removeprefix(REDIRECT)))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving_files(folder: Path, address: str = "127.0.0.1") -> Iterator[str]:
    """The base URL of a server of the folder's files."""
    server = ThreadingHTTPServer((address, 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{address}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
