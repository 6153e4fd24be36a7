"""The key of a server behind the language model, given as the how-to says: `llm` reads it, and nobody else."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_semble.topology import SERVICES
from tests.hosts.environment import Installed
from tests.hosts.recipes import CHECKOUT

pytestmark = pytest.mark.thorough
HOWTO = Path(CHECKOUT, "docs/howto/use-the-openai-sdk.md").read_text(encoding="utf-8")
SECTION = HOWTO.partition("### Its key, in the pod")[2]
QUADLET, KUBE = re.findall(r"```bash\n(.*?)```", SECTION, re.DOTALL)
MOUNT, VOLUME = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
FILES = {"quadlet": "/run/secrets/llm-key", "kube": "/run/llm-key/key"}
YAML, COPY = ".config/containers/ai-semble/ai-semble.yaml", ".config/containers/ai-semble/mine.yaml"
DROP_IN = ".config/systemd/user/ai-semble-pod.service.d"
SECRET = "key-of-the-server"


def with_key(text: str) -> str:
    """The pod's YAML with what the how-to adds."""
    before, llm, after = text.partition("    - name: llm\n")
    after = after.replace("      volumeMounts:\n", f"      volumeMounts:\n{MOUNT}", 1)
    return (before + llm + after).replace("\n  volumes:\n", f"\n  volumes:\n{VOLUME}", 1)


@pytest.fixture(scope="module")
def keyed(running: Installed) -> Iterator[Installed]:
    host, backend = running.host, running.host.recipe.backend
    host.run("cat > gpu-box.key", input=f"{SECRET}\n")
    host.run(QUADLET if backend == "quadlet" else KUBE)
    if backend == "kube":
        host.run(f"cat > {COPY}", input=with_key(host.run(f"cat {YAML}").stdout))
        line = f"[Service]\nEnvironment=AI_SEMBLE_POD=%E/{COPY.removeprefix('.config/')}\n"
        host.run(f"mkdir -p {DROP_IN}; cat > {DROP_IN}/50-mine.conf", input=line)
    running.deploy("restart")
    yield running
    host.run(f"rm -rf {DROP_IN} {COPY} ~/.config/containers/systemd/ai-semble/ai-semble-llm.container.d")
    running.deploy("restart")
    host.run("podman secret rm ai-semble-llm-key || podman volume rm ai-semble-llm-key")


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_language_model_has_the_key(keyed: Installed, service: str) -> None:
    file = FILES[keyed.host.recipe.backend]
    line = shlex.join(["podman", "exec", f"ai-semble-{service}", "cat", file])
    answer = keyed.host.run(line, check=False)
    assert (answer.stdout.strip() == SECRET) == (service == "llm"), answer
