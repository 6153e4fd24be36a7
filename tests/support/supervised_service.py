"""A small real service: answers /health as the five do, and can be told to crash, hang or leave a child.

`supervised_service.py serve NAME` listens on AI_SEMBLE_<NAME>__PORT. It serves one request at a time on
purpose: while it hangs, nothing answers.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import FrameType
from typing import Any

STARTED = time.time()
SECTIONS = {"data-processor": "DATA"}
CRASH_AT_START = "FAKE_CRASH_AT_START"  # a comma separated list of services
DEAF_TO_SIGTERM = "FAKE_DEAF_TO_SIGTERM"


def say(service: str, level: str, action: str, **rest: Any) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "Z"
    line = {"time": stamp, "level": level, "service": service, "action": action, **rest}
    print(json.dumps(line), flush=True)


def health(service: str) -> dict[str, Any]:
    model = {"name": f"{service}-model", "task": "testing", "state": "loaded", "device": "cpu"}
    own = {
        "service": service,
        "state": "ready",
        "reason": "All is well.",
        "version": "0",
        "device": "cpu",
        "models": [model],
        "memory_bytes": 12_345_678,
        "uptime_s": time.time() - STARTED,
        "pid": os.getpid(),
    }
    if service != "orchestrator":
        return own
    whole = {"status": "ready", "environment": "default", "services": {service: own}}
    return {key: own[key] for key in ("reason", "version", "uptime_s", "memory_bytes")} | whole


class Handler(BaseHTTPRequestHandler):
    service = ""

    def do_GET(self) -> None:
        say(self.service, "INFO", "request", path=self.path)
        match self.path:
            case "/crash":
                say(self.service, "ERROR", "about_to_crash", error="told to")
                os._exit(3)
            case "/hang":
                time.sleep(600)
            case "/child":
                child = subprocess.Popen(["sleep", "600"])
                self._answer({"pid": child.pid})
            case "/variables":
                self._answer(dict(os.environ))
            case _:
                self._answer(health(self.service))

    def _answer(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def leave(_: int, __: FrameType | None) -> None:
    say(Handler.service, "INFO", "stopped")
    os._exit(0)


def main() -> None:
    service = Handler.service = sys.argv[2]
    if service in os.environ.get(CRASH_AT_START, "").split(","):
        raise RuntimeError("there is no model")
    deaf = service in os.environ.get(DEAF_TO_SIGTERM, "").split(",")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else leave)
    port = int(os.environ[f"AI_SEMBLE_{SECTIONS.get(service, service.upper())}__PORT"])
    say(service, "INFO", "serving", port=port)
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
