"""What stops a start is said in one line with its fix."""

from __future__ import annotations

import socket
from pathlib import Path

import psutil
import pytest

from ai_semble.embedded.errors import PortInUse
from ai_semble.embedded.preflight import check_port, check_room, port_error
from ai_semble.errors import ExposureRefused, InsufficientStorage
from tests.support.serving import free_port


def test_a_free_port_is_fine() -> None:
    check_port("127.0.0.1", free_port(), "orchestrator")


def test_a_busy_port_names_the_process_and_another_port() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            check_port("127.0.0.1", port, "orchestrator")
    me = psutil.Process()
    assert caught.value.detail == f"Port {port} (orchestrator) is in use by {me.name()} (process {me.pid})"
    assert "AI_SEMBLE_ORCHESTRATOR__PORT=" in caught.value.user_hint


def test_an_address_of_another_machine_is_said_to_be_one() -> None:
    with pytest.raises(ExposureRefused) as caught:
        check_port("192.0.2.7", free_port(), "expose")
    assert caught.value.detail == "192.0.2.7 is no address of this machine"


def test_the_variable_of_the_data_processor_is_that_of_its_section() -> None:
    assert "AI_SEMBLE_DATA__PORT=18084 " in port_error(98, 8084, "data-processor").user_hint


def test_a_full_disk_names_the_folder(tmp_path: Path) -> None:
    check_room(tmp_path, 1)
    with pytest.raises(InsufficientStorage) as caught:
        check_room(tmp_path, 2**60)
    assert str(tmp_path) in caught.value.detail
    assert "XDG_STATE_HOME" in caught.value.user_hint
