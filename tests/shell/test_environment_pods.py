"""deploy.sh env with pods: which units, images, secrets and volumes are made, and which go. No container runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.shell.conftest import CHECKOUT, Shell
from tests.shell.test_environments import definition, deploy, folder, listed, user
from tests.support.worlds import ai_semble

__all__ = ["user"]
IMAGES = ("base", "orchestrator", "llm", "vision", "nlp", "data-processor")
PODMAN = f'#!/bin/sh\nexec {sys.executable} -I -S {CHECKOUT}/tests/support/podman_store.py "$@"\n'
# Nothing of ours runs, and systemd knows no unit.
SYSTEMCTL = '#!/bin/sh\ncase "$*" in *is-active*) exit 3 ;; esac\n'

# What setup.sh does for the default environment, where nothing has to be built or fetched.
SET_UP = f"""
set -euo pipefail
source {CHECKOUT}/scripts/lib/common.sh
source {CHECKOUT}/scripts/lib/backends.sh
backend="$(pod_backend)"
pod_write_config
pod_make_secret "$backend"
env_make_volumes
pod_install "$backend"
"""


@pytest.fixture
def host(user: Shell, request: pytest.FixtureRequest) -> Shell:
    """Someone with Podman 5, or the version that is asked for, images, and a default environment."""
    store = user.folder / "store"
    user.variables |= {
        "PODMAN_STORE": str(store),
        "PODMAN_STORE_PROGRAM": ai_semble(),
        "PODMAN_VERSION": getattr(request, "param", "5.4.2"),
    }
    user.stub("podman", PODMAN)
    user.stub("systemctl", SYSTEMCTL)
    user.stub("loginctl", "#!/bin/sh\n")
    for name in IMAGES:
        have(user, "image", f"localhost/ai-semble/{name}:latest", name)
    user.bash(SET_UP)
    return user


with_each = pytest.mark.parametrize("host", ["5.4.2", "4.3.1"], ids=["quadlet", "kube"], indirect=True)


def have(host: Shell, kind: str, name: str, content: str) -> None:
    path = host.folder / "store" / kind / name.replace("/", "%")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def belongings(host: Shell) -> set[str]:
    """All that Podman and systemd have, but what is in volumes."""
    store, config = host.folder / "store", host.folder / ".config"
    found = {f"{path.parent.name} {path.name.replace('%', '/')}" for path in store.glob("*/*")}
    return found | {str(path.relative_to(config)) for path in config.rglob("*") if path.is_file()}


def texts(host: Shell) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (host.folder / ".config").rglob("*") if path.is_file()}


@with_each
def test_one_is_made_beside_the_default_one_of_which_no_file_changes(host: Shell) -> None:
    before, default = belongings(host), texts(host)
    answer = deploy(host, "env", "create", "lab", "--memory", "2g", "--gpu", "none").stderr
    assert "Made the environment lab, on port 8180" in answer
    assert (
        "Without effect: --memory" in answer
        or "memory" in host.bash("cat /sys/fs/cgroup/cgroup.controllers").stdout
    )
    made = belongings(host) - before
    assert made
    assert [name for name in made if "lab" not in name] == []
    assert {name for name in made if name.startswith("image ")} == {
        f"image localhost/ai-semble-lab/{name}:latest" for name in IMAGES
    }
    assert {path: text for path, text in texts(host).items() if path in default} == default
    found = listed(host)
    assert [(one["state"], one["port"]) for one in found.values()] == [("stopped", 8080), ("stopped", 8180)]
    answer = deploy(host, "env", "create", "third", "--port", "8180", status=1).stderr
    assert "port 8180 belongs to another environment" in answer
    deploy(host, "env", "delete", "lab", "--yes")
    assert belongings(host) == before
    assert texts(host) == default


def test_one_that_fails_half_way_leaves_nothing(host: Shell) -> None:
    before = belongings(host)
    broken = host.folder / ".config/ai-semble/ai-semble.toml"
    text = broken.read_text(encoding="utf-8")
    broken.write_text("[llm]\nnonsense = 1\n", encoding="utf-8")
    answer = deploy(host, "env", "create", "lab", status=1).stderr
    assert "nonsense" in answer
    assert "Nothing is left of the environment lab" in answer
    broken.write_text(text, encoding="utf-8")
    assert belongings(host) == before


def volume(host: Shell, environment: str) -> Path:
    """Where the orchestrator of an environment keeps its things."""
    return host.folder / f"store/volume/ai-semble-{environment}-state/ai-semble/{environment}"


def test_a_clone_a_renamed_and_an_imported_one_have_what_is_in_the_volumes(host: Shell) -> None:
    deploy(host, "env", "create", "lab", "--models", "private")
    state = volume(host, "lab")
    (state / "jobs").mkdir(parents=True)
    (state / "jobs/one").write_text("kept", encoding="utf-8")
    (state / "keys.sqlite").write_text("secret", encoding="utf-8")
    (host.folder / "store/volume/ai-semble-lab-models/weights").write_text("mine", encoding="utf-8")
    file = str(host.folder / "lab.tar")
    deploy(host, "env", "clone", "lab", "copy")
    deploy(host, "env", "export", "lab", file, "--with-models")
    deploy(host, "env", "import", file, "elsewhere", "--models", "private")
    deploy(host, "env", "rename", "lab", "research")
    for name, has_keys in (("copy", False), ("elsewhere", False), ("research", True)):
        assert (volume(host, name) / "jobs/one").read_text(encoding="utf-8") == "kept"
        assert (volume(host, name) / "keys.sqlite").exists() is has_keys
        weights = host.folder / f"store/volume/ai-semble-{name}-models/weights"
        assert weights.read_text(encoding="utf-8") == "mine"
    assert not [name for name in belongings(host) if "-lab" in name]
    assert list(listed(host)) == ["default", "copy", "elsewhere", "research"]


def test_no_volume_is_taken_for_empty_because_podman_does_not_answer(host: Shell) -> None:
    deploy(host, "env", "create", "lab")
    state = volume(host, "lab")
    (state / "jobs").mkdir(parents=True)
    (state / "jobs/one").write_text("kept", encoding="utf-8")
    silent = PODMAN.replace("\n", '\ncase "$*" in "volume inspect"*lab-state) exit 125 ;; esac\n', 1)
    host.stub("podman", silent)
    for words in (
        ["export", "lab", str(host.folder / "a.tar")],
        ["clone", "lab", "b"],
        ["rename", "lab", "new"],
    ):
        assert "does not say where the volume" in deploy(host, "env", *words, status=1).stderr
    assert not (host.folder / "a.tar").exists()
    host.stub("podman", PODMAN)
    deploy(host, "env", "rename", "lab", "new")
    assert (volume(host, "new") / "jobs/one").read_text(encoding="utf-8") == "kept"


NETWORK = """#!/bin/sh
case "$*" in
  "network inspect"*isolate*) ;;
  "network inspect"*) echo "$INTERNAL true" ;;
  "network rm"*) exit 2 ;;
esac
"""


def test_no_pod_is_made_that_other_machines_would_reach(host: Shell) -> None:
    settings = host.folder / ".config/ai-semble/ai-semble.toml"
    settings.write_text('["expose"]\naddress = "0.0.0.0"\n', encoding="utf-8")
    answer = deploy(host, "env", "create", "lab", status=1).stderr
    assert "other machines would reach it" in answer
    assert "Nothing is left" in answer


@pytest.mark.parametrize(("internal", "starts"), [("false", True), ("true", False)])
def test_a_network_from_before_that_something_uses_keeps_nobody_from_starting(
    shell: Shell, internal: str, starts: bool
) -> None:
    shell.stub("podman", NETWORK)
    shell.variables["INTERNAL"] = internal
    answer = shell.bash(
        f"""set -euo pipefail
        source {CHECKOUT}/scripts/lib/common.sh
        source {CHECKOUT}/scripts/lib/backends.sh
        (pod_fit_network quadlet) 2>&1 || echo ended"""
    ).stdout
    assert "podman ps --all --filter network=ai-semble" in answer
    assert ("ended" not in answer) is starts


def test_what_was_begun_as_a_pod_goes_with_processes_too(host: Shell) -> None:
    before = belongings(host)
    deploy(host, "env", "create", "lab")
    file = folder(host, "lab") / "environment.conf"
    text = file.read_text(encoding="utf-8").replace("state=ready", "state=making")
    file.write_text(re.sub("backend=.*", "backend=embedded", text), encoding="utf-8")
    deploy(host, "env", "delete", "lab", "--yes")
    assert belongings(host) == before


def test_one_from_before_there_were_definitions_keeps_its_port_and_settings_also_uninstalled(
    host: Shell,
) -> None:
    deploy(host, "env", "create", "lab", "--port", "18700")
    (folder(host, "lab") / "environment.conf").unlink()
    (folder(host, "lab") / "ai-semble.toml").unlink()
    (host.folder / ".config/ai-semble/ai-semble.toml").write_text("[llm]\ncontext = 8192\n", encoding="utf-8")
    deploy(host, "stop", "--env", "lab")
    kept = definition(host, "lab")
    assert (kept["port"], kept["number"], kept["state"]) == ("18700", "0", "ready")
    assert "context = 8192" in (folder(host, "lab") / "ai-semble.toml").read_text(encoding="utf-8")
    said = deploy(host, "uninstall", "--env", "lab", "--yes").stderr
    assert "env delete lab" in said
    assert listed(host)["lab"]["state"] == "not set up"
    assert "setup.sh --env lab" in deploy(host, "start", "--env", "lab", status=1).stderr
