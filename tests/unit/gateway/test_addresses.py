"""Which addresses are public, and which URLs are readable."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from orchestrator.fetcher.addresses import own_addresses, refusal
from orchestrator.fetcher.errors import InvalidUrl, UrlNotAllowed
from orchestrator.fetcher.urls import read_url

PORTS = (80, 443)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "172.15.255.255",
        "172.32.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "169.253.255.255",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450:4001::200e",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
        "2620:4f:8000::1",
    ],
)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert refusal(ip_address(address)) is None


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("0.0.0.0", "unspecified"),  # noqa: S104 - nothing is bound
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "carrier"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("169.254.169.254", "metadata"),
        ("168.63.129.16", "metadata"),
        ("192.0.0.192", "protocol"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "6to4"),
        ("198.18.0.1", "benchmarking"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "IPv4-compatible"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "metadata"),
        ("::ffff:0:127.0.0.1", "translated"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "metadata"),
        ("64:ff9b:1::1", "translation"),
        ("2002:7f00:1::", "6to4"),
        ("2002:808:808::", "6to4"),
        ("2001::1", "Teredo"),
        ("2001:10::1", "protocol"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("100::1", "discard"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", "private"),
        ("fe80::1", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        ("4000::1", "reserved"),
        ("2600::5efe:7f00:1", "loopback"),
        ("2600::200:5efe:a00:1", "private"),
    ],
)
def test_every_other_address_is_refused_with_its_kind(address: str, reason: str) -> None:
    assert reason in (refusal(ip_address(address)) or "")


def test_this_machines_own_public_address_is_refused() -> None:
    assert ip_address("127.0.0.1") in own_addresses()
    mine = ip_address("93.184.216.34")
    assert refusal(mine, {mine}) == "an address of this machine"


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://0x7f.0.0.1/",
        "http://0x7f000001/",
        "http://127.1/",
        "http://127.0.1/",
        "http://127.0.0.01/",
        "http://127.0.0.1./",
        "http://1/",
        "http://0/",
        "http://134744072/",
        "http://8.8.2056/",
        "http://①②⑦.⓪.⓪.①.1/",
        "http://0x/",
        "http://a.0x7f/",
    ],
)
def test_numbers_in_other_notations_are_refused_even_when_public(url: str) -> None:
    with pytest.raises((UrlNotAllowed, InvalidUrl)):
        read_url(url, PORTS, ())


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a",
        "file:///etc/passwd",
        "gopher://example.com",
        "data:text/plain,x",
        "javascript:1",
        "//example.com/a",
        "example.com/a",
        "http://",
        "http:///etc",
        "https://:443/",
        "http://[::1/",
        "http://[1]/",
        "http://exa mple.com/",
        "http://example.com/\r\nHost: x",
        "http://example.com\\@127.0.0.1/",
        "",
        "http://example.com:99999/",
        "http://example.com:port/",
        "http://example.com/" + "a" * 9000,
        "http://[fe80::1%25eth0]/",
        "http://[::ffff:127.0.0.1]:x/",
        "http://\x00/",
    ],
)
def test_what_is_no_complete_http_url_is_invalid(url: str) -> None:
    with pytest.raises((InvalidUrl, UrlNotAllowed)):
        read_url(url, PORTS, ())


@pytest.mark.parametrize(
    "url",
    [
        "http://user@example.com/",
        "http://user:pass@example.com/",
        "http://:pass@example.com/",
        "http://@a.example",
    ],
)
def test_credentials_in_a_url_are_refused(url: str) -> None:
    if url == "http://@a.example":
        assert read_url(url, PORTS, ()).host == "a.example"
        return
    with pytest.raises(UrlNotAllowed, match="password"):
        read_url(url, PORTS, ())


@pytest.mark.parametrize("port", [22, 25, 53, 6379, 8081, 9200, 11211])
def test_only_the_ports_of_web_servers_may_be_reached(port: int) -> None:
    with pytest.raises(UrlNotAllowed, match=str(port)):
        read_url(f"http://example.com:{port}/", PORTS, ())


def test_a_good_url_is_read() -> None:
    target = read_url(" https://Example.COM/a%20b?c=d#part ", PORTS, ())
    assert (target.host, target.port, target.literal, target.exempt) == ("example.com", 443, None, False)
    assert str(target.url) == "https://example.com/a%20b?c=d"
    assert str(read_url("http://[2606:4700::1111]/", PORTS, ()).literal) == "2606:4700::1111"
    assert read_url("http://例え.jp/", PORTS, ()).host == "xn--r8jz45g.jp"


def test_an_exempt_host_is_one_host_and_one_port() -> None:
    exempt = ("127.0.0.1:9000", "[::1]:9000", "minio.internal:9000")
    assert read_url("http://127.0.0.1:9000/", PORTS, exempt).exempt
    assert read_url("http://[::1]:9000/", PORTS, exempt).exempt
    assert read_url("http://MINIO.internal:9000/", PORTS, exempt).exempt
    assert not read_url("http://127.0.0.1/", PORTS, exempt).exempt
    with pytest.raises(UrlNotAllowed):
        read_url("http://127.0.0.1:9001/", PORTS, exempt)
