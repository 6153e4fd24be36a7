"""The network of a host: its own cable to this machine, which does NAT for it. As root.

A host is never on this machine's network: its systemd-networkd and udevd would take over the interfaces.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# For benchmarks of network devices (RFC 2544): no host on the Internet or at home has such an address.
POOL = ipaddress.IPv4Network("198.19.0.0/16")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True)
class Network:
    """The subnet of one host."""

    machine: str
    subnet: str

    @property
    def cable(self) -> str:
        """This machine's end."""
        return f"ve-{self.machine}"

    @property
    def table(self) -> str:
        return f"ai_semble_test_{self.machine}"

    @property
    def our_address(self) -> str:
        return str(ipaddress.IPv4Network(self.subnet)[1])

    @property
    def host_address(self) -> str:
        return str(ipaddress.IPv4Network(self.subnet)[2])

    def inside(self) -> str:
        """What systemd-networkd reads in the host."""
        return f"[Match]\nName=host0 eth0\n[Network]\nAddress={self.host_address}/24\nGateway={self.our_address}\n"

    def start_translation(self) -> None:
        """NAT by a table of our own, and nothing in anybody else's."""
        rules = f"""
            table ip {self.table} {{
              chain leaving {{
                type nat hook postrouting priority srcnat;
                ip saddr {self.subnet} oifname != "{self.cable}" masquerade
              }}
            }}
        """
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)

    def stop_translation(self) -> None:
        subprocess.run(["nft", "delete", "table", "ip", self.table], capture_output=True, check=False)

    def cable_index(self) -> int | None:
        """Which cable it is; a host that rebooted has a new one."""
        try:
            return int(Path(f"/sys/class/net/{self.cable}/ifindex").read_text(encoding="ascii"))
        except FileNotFoundError:
            return None

    def plug_in(self) -> None:
        """Give our end its address."""
        subprocess.run(["ip", "address", "replace", f"{self.our_address}/24", "dev", self.cable], check=True)
        subprocess.run(["ip", "link", "set", self.cable, "up"], check=True)


def free_network(machine: str, taken: set[str]) -> Network:
    """A subnet that neither a route of this machine nor another host has."""
    routed = [_network(route["dst"]) for route in _ip("route", "show", "table", "all")]
    for subnet in POOL.subnets(new_prefix=24):
        if str(subnet) not in taken and not any(known and known.overlaps(subnet) for known in routed):
            return Network(machine, str(subnet))
    raise RuntimeError(f"every subnet of {POOL} is in use; see: ip route")


def _ip(*words: str) -> list[dict[str, Any]]:
    answer = subprocess.run(["ip", "-4", "-json", *words], capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(answer.stdout or "[]")
    return found


def _network(destination: str) -> ipaddress.IPv4Network | None:
    """None for a default route, which overlaps with everything and forbids nothing; a VPN's has two halves."""
    known = None if destination == "default" else ipaddress.IPv4Network(destination)
    return known if known and known.prefixlen > 1 else None
