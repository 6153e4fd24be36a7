"""Calls about the environment as a whole."""

from __future__ import annotations

from ai_semble_client.answers.environment import Health
from ai_semble_client.calls.call import Call, reading


def health() -> Call[Health]:
    """Every service: its state, its models, the device that is really used."""
    return Call("GET", "/health", reading(Health))
