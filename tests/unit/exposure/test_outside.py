"""What a proxy says is believed only of one that is trusted, and only as far as such ones have written it."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import Scope

from ai_semble.config import ExposeConfig
from ai_semble.outside import Proxies, believe, client_behind, is_from_outside

PROXIES = Proxies(
    ExposeConfig.model_validate({"trusted_proxies": ["10.0.0.5", "192.168.0.0/24", "2001:db8::/64"]}),
    in_pod=False,
)
LOCAL = ExposeConfig(trusted_proxies=("local",))


@pytest.mark.parametrize(
    ("peer", "told", "client"),
    [
        ("203.0.113.1", ["198.51.100.7"], "203.0.113.1"),  # not a proxy of ours: its word counts nothing
        ("10.0.0.5", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.5", ["6.6.6.6", "198.51.100.7"], "198.51.100.7"),  # the first was the client's own invention
        ("10.0.0.5", ["198.51.100.7", "192.168.0.9"], "198.51.100.7"),  # two proxies of ours
        ("::ffff:10.0.0.5", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.5", ["198.51.100.7:4711"], "198.51.100.7"),
        ("2001:db8::5", ["[2001:db8:1::9]:4711"], "2001:db8:1::9"),
        ("10.0.0.5", ["198.51.100.7", "nonsense"], "10.0.0.5"),
        ("10.0.0.5", [""], "10.0.0.5"),
        ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", ["192.168.0.1", "192.168.0.2"], "192.168.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_no_proxy_of_ours_has(
    peer: str, told: list[str], client: str
) -> None:
    assert client_behind(peer, told, PROXIES) == client


def test_local_is_this_machine_and_in_a_pod_whoever_reaches_it() -> None:
    host, pod = Proxies(LOCAL, in_pod=False), Proxies(LOCAL, in_pod=True)
    assert host.lead_here("127.0.0.1")
    assert host.lead_here("::1")
    assert not host.lead_here("10.89.0.3")
    assert not host.lead_here("nonsense")
    assert pod.lead_here("10.89.0.3")
    assert not Proxies(ExposeConfig(), in_pod=True).lead_here("127.0.0.1")


@pytest.mark.parametrize("in_pod", [True, False])
def test_behind_a_local_proxy_only_the_last_word_counts(in_pod: bool) -> None:
    """Also when the client is on this machine, or says that it was: nothing of it is a proxy."""
    local = Proxies(LOCAL, in_pod=in_pod)
    peer = "10.89.0.3" if in_pod else "127.0.0.1"
    assert client_behind(peer, ["6.6.6.6", "203.0.113.9"], local) == "203.0.113.9"
    assert client_behind(peer, ["6.6.6.6", "127.0.0.1"], local) == "127.0.0.1"


def scope_of(**headers: str) -> Scope:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": "http", "scheme": "http", "client": ("10.0.0.5", 1), "headers": raw}
    return scope


def test_of_scheme_and_host_the_word_of_the_last_proxy_counts() -> None:
    scope = scope_of(host="inner", x_forwarded_proto="gopher, https", x_forwarded_host="evil, gpu-box")
    believe(scope, PROXIES)
    assert scope["scheme"] == "https"
    assert [value for name, value in scope["headers"] if name == b"host"] == [b"gpu-box"]
    odd = scope_of(host="inner", x_forwarded_proto="gopher")
    believe(odd, PROXIES)
    assert odd["scheme"] == "http"


@pytest.mark.parametrize("header", ["x_forwarded_for", "x_forwarded_host", "forwarded", "x_real_ip", "via"])
def test_what_a_proxy_has_passed_on_is_from_outside(header: str) -> None:
    assert is_from_outside(scope_of(**{header: "anything"}))
    assert not is_from_outside(scope_of(host="localhost", accept="*/*"))
