"""The command line's doors."""

from __future__ import annotations

import sys

import pytest

from ai_semble import cli
from ai_semble.topology import SERVICES, Service


@pytest.mark.parametrize("service", SERVICES.values())
def test_a_program_serves_the_service_in_its_name(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", [f"/opt/ai-semble/bin/{service.program}", "--reload"])
    monkeypatch.setattr(cli, "main", lambda: said.append(sys.argv[1:]))
    cli.main_of_service()
    assert said == [["serve", service.name, "--reload"]]
