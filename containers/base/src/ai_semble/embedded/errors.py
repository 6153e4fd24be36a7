"""What can go wrong when services are started on this machine."""

from __future__ import annotations

from ai_semble.errors import AiSembleError


class PortInUse(AiSembleError):
    """Another program listens on a port that a service needs."""

    code, status, title = "port_in_use", 409, "A port is in use"
    hint = "Stop the other program, or choose another port in the configuration."


class StartFailed(AiSembleError):
    """The supervisor of the services could not be started, or ended at once."""

    code, status, title = "start_failed", 500, "The start failed"
    hint = "Run it again; `ai-semble embedded supervise` shows what happens, in the foreground."


class StopFailed(AiSembleError):
    """A process of this environment did not end, even when it was killed."""

    code, status, title = "stop_failed", 500, "The stop failed"
    hint = "It waits for the disk or the kernel; look at it with `ps`, then stop again."


class NotRunning(AiSembleError):
    """No embedded environment of this name runs here."""

    code, status, title = "not_running", 503, "Ai-semble is not running"
    hint = "Start it: ./scripts/deploy.sh start --embedded"
