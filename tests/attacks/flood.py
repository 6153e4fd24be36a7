"""Run beside the orchestrator: holds many connections open, and asks for something meanwhile.

Standard input is `{"port": ..., "connections": ..., "hello": ..., "asked": ..., "patience_s": ...}`; what is printed
is `{"opened": ..., "answers": [...]}`, the statuses of what was asked while all of them were open.
"""

from __future__ import annotations

import json
import resource
import socket
import sys

ASK = b"GET /jobs?limit=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
OWN_FILES = 200


def main() -> None:
    order = json.load(sys.stdin)
    socket.setdefaulttimeout(order["patience_s"])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = (order["connections"] if hard == resource.RLIM_INFINITY else hard) - OWN_FILES
    held = [opened(order["port"], order["hello"].encode()) for _ in range(min(order["connections"], room))]
    answers = [ask(order["port"]) for _ in range(order["asked"])]
    print(json.dumps({"opened": len(held), "answers": answers}))


def opened(port: int, hello: bytes) -> socket.socket:
    """A connection that reads nothing; whether it is let go later is the server's choice."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(("127.0.0.1", port))
    made.sendall(hello)
    return made


def ask(port: int) -> int:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(ASK)
        return int(client.recv(4096).split()[1])


if __name__ == "__main__":
    main()
