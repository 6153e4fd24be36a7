"""As separate containers, the services share a network with the orchestrator, and may not ask it for anything."""

from __future__ import annotations

from ipaddress import ip_address

import httpx
import pytest

from ai_semble import neighbours
from ai_semble.config import Config
from ai_semble.neighbours import Interfaces, is_neighbour, nobody, own_interfaces, whom_to_turn_away
from ai_semble.protocol import Connections
from ai_semble.topology import SERVICES
from tests.support.serving import serving
from tests.unit.base.test_protocol import app

INSIDE, OUTSIDE = "10.89.1.5", "10.89.0.5"
APART = Config.model_validate({"llm": {"address": "ai-semble-llm.dns.podman"}})


def interfaces() -> Interfaces:
    """Of a container on an inner and an outer network."""
    yield ip_address("127.0.0.1"), ip_address("255.0.0.0")
    yield ip_address(INSIDE), ip_address("255.255.255.0")
    yield ip_address(OUTSIDE), ip_address("255.255.255.0")
    yield ip_address("fe80::5"), ip_address("ffff:ffff:ffff:ffff::")


def unknown() -> Interfaces:
    raise OSError("no socket for it")


@pytest.mark.parametrize(
    ("peer", "here"),
    [
        ("10.89.1.7", INSIDE),
        ("10.89.1.7", OUTSIDE),
        ("10.89.0.7", OUTSIDE),
        ("::ffff:10.89.1.7", f"::ffff:{INSIDE}"),
        ("fe80::7%eth0", "fe80::5%eth0"),
        ("", INSIDE),
    ],
)
def test_who_comes_from_a_network_of_ours_is_a_neighbour(peer: str, here: str) -> None:
    assert is_neighbour(peer, here, interfaces)


@pytest.mark.parametrize(
    ("peer", "here"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", INSIDE),
        (INSIDE, INSIDE),
        (OUTSIDE, OUTSIDE),
        ("203.0.113.9", OUTSIDE),
        ("2001:db8::9", "2001:db8::1"),
    ],
)
def test_the_container_itself_and_who_comes_from_elsewhere_are_none(peer: str, here: str) -> None:
    assert not is_neighbour(peer, here, interfaces)


def test_who_cannot_be_judged_is_one() -> None:
    assert is_neighbour("203.0.113.9", OUTSIDE, unknown)
    assert not is_neighbour(INSIDE, INSIDE, unknown)


def test_the_interfaces_of_this_machine_are_known() -> None:
    assert (ip_address("127.0.0.1"), ip_address("255.0.0.0")) in own_interfaces()


def test_only_the_orchestrator_of_separate_containers_turns_anybody_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "is_in_our_image", lambda: True)
    assert whom_to_turn_away(Config(), "orchestrator") is nobody
    turned = {name for name in SERVICES if whom_to_turn_away(APART, name) is not nobody}
    assert turned == {"orchestrator"}
    monkeypatch.undo()
    assert whom_to_turn_away(APART, "orchestrator") is nobody, "outside of our images nobody is"


def test_who_is_turned_away_is_not_heard() -> None:
    asked = []

    def turns_away(peer: str, here: str) -> bool:
        asked.append((peer, here))
        return True

    connections = Connections(
        "test", most_idle=9, most_slow=9, client_timeout_s=9, turns_away=turns_away
    ).protocol
    with serving(app, http=connections) as url, pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        httpx.get(url)
    assert asked == [("127.0.0.1", "127.0.0.1")]
