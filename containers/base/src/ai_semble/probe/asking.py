"""Sends the questions of a service and says how it did."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass

from ai_semble.config import Config
from ai_semble.probe.questions import Implausible, Question, questions_for

LONGEST_ANSWER = 4 * 1024 * 1024
_PAUSE_S = 0.5
_BUSY = 503


@dataclass(frozen=True)
class Verdict:
    """How a service answered; `reason` says what was wrong and is empty when all is well."""

    service: str
    seconds: float
    reason: str = ""

    @property
    def is_well(self) -> bool:
        return not self.reason


@dataclass(frozen=True)
class Door:
    """Where the services of one environment are asked, and the secret that they want to see."""

    config: Config
    token: str
    host: str = "127.0.0.1"

    def host_header(self, port: int) -> str:
        names = self.config.server.allowed_hosts
        name = "localhost" if "localhost" in names or not names else names[0]
        return f"{name}:{port}"


def ask(door: Door, service: str, timeout_s: float) -> Verdict:
    """Ask a service all its questions; what is busy or not there yet is asked again until the time is up."""
    began = time.monotonic()
    reason = ""
    try:
        for question in questions_for(service, door.config):
            _ask(door, service, question, began + timeout_s)
    except Implausible as error:
        reason = str(error)
    return Verdict(service, round(time.monotonic() - began, 1), reason)


def _ask(door: Door, service: str, question: Question, deadline: float) -> None:
    while True:
        reason = ""
        try:
            status, body = _send(door, service, question, deadline)
        except (OSError, http.client.HTTPException) as error:
            reason = f"it does not answer {question.path} ({str(error) or type(error).__name__})"
        else:
            if status == 200:
                question.judge(body)
                return
            reason = f"it answers {question.path} with {status}{_detail(body)}"
            if status != _BUSY:
                raise Implausible(reason)
        if time.monotonic() + _PAUSE_S >= deadline:
            raise Implausible(reason)
        time.sleep(_PAUSE_S)


def _send(door: Door, service: str, question: Question, deadline: float) -> tuple[int, bytes]:
    port = door.config.port_of(service)
    left = max(deadline - time.monotonic(), _PAUSE_S)
    connection = http.client.HTTPConnection(door.host, port, timeout=left)
    headers = {"Host": door.host_header(port), "Authorization": f"Bearer {door.token}"}
    body = None
    if question.body is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(question.body).encode()
    try:
        connection.request("GET" if body is None else "POST", question.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(LONGEST_ANSWER)
    finally:
        connection.close()


def _detail(body: bytes) -> str:
    """What a problem document says, to be put after the status."""
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    detail = document.get("detail") if isinstance(document, dict) else None
    return f": {detail}" if isinstance(detail, str) and detail else ""
