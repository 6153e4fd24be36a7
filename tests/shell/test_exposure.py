"""Where other machines come in, as the scripts read it from the units."""

from __future__ import annotations

import shutil

import pytest

from tests.shell.conftest import CHECKOUT, Shell

GOLDENS = CHECKOUT / "tests/unit/render/goldens"
ASK = f"""
set -euo pipefail
for name in common images backends; do source {CHECKOUT}/scripts/lib/$name.sh; done
"$1_exposed"
"""


@pytest.mark.parametrize(
    ("backend", "golden", "unit", "exposed"),
    [
        ("quadlet", "podman-5.4-exposed/ai-semble.pod", "containers/systemd/ai-semble", "192.168.1.5:443"),
        ("quadlet", "podman-5.4-no-egress/ai-semble.pod", "containers/systemd/ai-semble", ""),
        ("kube", "podman-4.3-exposed/ai-semble.yaml", "containers/ai-semble", "0.0.0.0:8443"),
        ("kube", "podman-4.3-no-egress/ai-semble.yaml", "containers/ai-semble", ""),
    ],
)
def test_it_is_an_address_and_a_port_or_nothing(
    shell: Shell, backend: str, golden: str, unit: str, exposed: str
) -> None:
    folder = shell.folder / ".config" / unit
    folder.mkdir(parents=True)
    shutil.copy(GOLDENS / golden, folder)
    assert shell.bash(ASK, backend).stdout.strip() == exposed
