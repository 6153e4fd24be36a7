"""Hosts by hand.

python -m tests.hosts check         say whether this machine can run hosts
python -m tests.hosts build NAME    make the root of a host (as root); nothing when it is there
python -m tests.hosts shell NAME    boot a fresh host and log in
python -m tests.hosts installed NAME   the same, with this checkout installed (the host is a virtual machine)
python -m tests.hosts keep ORDER    what the tests start (as root): a host that lives as long as standard input
"""

from __future__ import annotations

import json
import subprocess
import sys

from tests.hosts import building, homes, keeper, requirements
from tests.hosts.building import USER
from tests.hosts.host import running_host
from tests.hosts.recipes import HOSTS, VmRecipe
from tests.hosts.ssh import OPTIONS


def main(words: list[str]) -> int:
    match words:
        case ["check"]:
            requirements.check()
        case ["build", name] if name in HOSTS:
            building.build(name)
        case ["shell", name] if name in HOSTS:
            return shell(name)
        case ["installed", name] if isinstance(HOSTS.get(name), VmRecipe):
            return shell(name, homes.kept_home())
        case ["keep", order]:
            keeper.keep(keeper.Order(**json.loads(order)))
        case _:
            print(f"{__doc__}\nHosts: {' '.join(HOSTS)}", file=sys.stderr)
            return 2
    return 0


def shell(name: str, home: str = "") -> int:
    """An interactive login."""
    with running_host(name, home) as host:
        words = ["ssh", "-i", str(host.ssh.key), *OPTIONS, f"{USER}@{host.ssh.address}"]
        return subprocess.run(words, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except requirements.CannotRunHostsError as error:
        sys.exit(str(error))
