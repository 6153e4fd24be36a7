"""Home folders in which Ai-semble is installed already, for hosts that are too slow to build images.

What a home holds is made by `setup.sh` on an ordinary host, whose Podman is the same.
"""

from __future__ import annotations

import hashlib
import json

from tests.hosts import building
from tests.hosts.environment import Installed, install
from tests.hosts.host import Host, running_host
from tests.hosts.recipes import BASE_IMAGE, host_for
from tests.hosts.supplies import tree_of

# What `setup.sh` reads.
INSTALLED = ("configs", "containers", "scripts", "security/apparmor", "security/seccomp", "security/selinux")


def kept_home() -> str:
    """The name of a kept home with this checkout as it is now; made first if there is none, which takes minutes."""
    name = _name()
    if not building.home(name).exists():
        with running_host(host_for("quadlet").name) as host:
            install_and_keep(host)
    if not building.home(name).exists():
        raise RuntimeError(
            "no home could be kept, or the checkout was changed while it was installed; try again"
        )
    return name


def install_and_keep(host: Host) -> Installed:
    """`setup.sh` on an ordinary host; what it made is kept, if it can be, before anything else happens to it."""
    name = _name()
    installed = install(host)
    of_this_checkout = name == _name()
    if host.recipe == host_for("quadlet") and of_this_checkout and not building.home(name).exists():
        host.keep_home(name)
    return installed


def _name() -> str:
    parts = [host_for("quadlet").key, BASE_IMAGE.key, tree_of(*INSTALLED)]
    return f"home-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]}"
