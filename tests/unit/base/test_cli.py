"""The command line's doors."""

from __future__ import annotations

import sys

import pytest

from ai_semble import cli
from ai_semble.errors import InvalidRequest
from ai_semble.topology import SERVICES, Service


@pytest.mark.parametrize("service", SERVICES.values())
def test_a_program_serves_the_service_in_its_name(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", [f"/opt/ai-semble/bin/{service.program}", "--reload"])
    monkeypatch.setattr(cli, "main", lambda: said.append(sys.argv[1:]))
    cli.main_of_service()
    assert said == [["serve", service.name, "--reload"]]


def test_an_error_is_printed_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Square brackets are sections of the configuration and parts of paths, and no marks of style."""

    def fail() -> None:
        raise InvalidRequest("no folder [/models]", hint="Set `[models] directory` in the configuration.")

    monkeypatch.setattr(cli, "create_cli", lambda: fail)
    with pytest.raises(SystemExit):
        cli.main()
    said = capsys.readouterr().err
    assert said == "error: no folder [/models]\nhint:  Set `[models] directory` in the configuration.\n"
