#!/usr/bin/env python3
"""A small Podman that keeps what it is told to make, for scripts whose host has none.

Images, volumes, secrets, networks and pods are files of a store; what is asked to run in the base image runs here, with
the folders that would be mounted. It starts no container. PODMAN_STORE names the store, PODMAN_VERSION what it says
it is, PODMAN_STORE_PROGRAM the `ai-semble` to run.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

STORE = Path(os.environ["PODMAN_STORE"])
AI_SEMBLE = os.environ["PODMAN_STORE_PROGRAM"]


def place(kind: str, name: str) -> Path:
    folder = STORE / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name.replace("/", "%")


def names(kind: str) -> list[str]:
    folder = STORE / kind
    return sorted(path.name.replace("%", "/") for path in folder.iterdir()) if folder.exists() else []


def run(words: list[str]) -> int:
    """`podman run OPTION... IMAGE WORD...`; `ai-semble` is the program of this checkout."""
    volumes = [word.split(":")[:2] for before, word in itertools.pairwise(words) if before == "--volume"]
    mounted = {
        target: name if name.startswith("/") else str(place("volume", name)) for name, target in volumes
    }
    image = next(at for at, word in enumerate(words) if word.startswith("localhost/"))
    program, *rest = words[image + 1 :]
    command = [AI_SEMBLE if program == "ai-semble" else program, *(mounted.get(word, word) for word in rest)]
    variables = {name: text for name, text in os.environ.items() if not name.startswith("AI_SEMBLE_")}
    if "/etc/ai-semble" in mounted:
        variables["AI_SEMBLE_CONFIG"] = str(Path(mounted["/etc/ai-semble"]) / "ai-semble.toml")
    return subprocess.run(command, env=variables, check=False).returncode


def main(words: list[str]) -> int:  # noqa: PLR0912 - one case a command
    match words:
        case ["version", *_]:
            print(os.environ.get("PODMAN_VERSION", "5.4.2"))
        case ["info", *_]:
            print("false")
        case ["run", *rest]:
            return run(rest)
        case ["unshare", "stat", *_]:
            print(0)
        case ["unshare", "chown", *_]:
            pass
        case ["unshare", *rest]:
            return subprocess.run(rest, check=False).returncode
        case ["tag", old, new]:
            place("image", new).write_text(place("image", old).read_text(encoding="utf-8"), encoding="utf-8")
        case ["images", *_]:
            print("\n".join(names("image")))
        case ["ps", *_]:
            pass
        case ["volume", "ls", *_]:
            print("\n".join(f"{name} {place('volume', name)}" for name in names("volume")))
        case ["volume", "create", name]:
            place("volume", name).mkdir()
            print(name)
        case ["volume", "inspect", "--format", "{{.Mountpoint}}", name] if place("volume", name).exists():
            print(place("volume", name))
        case ["secret", "create", name, "-"]:
            place("secret", name).write_text(sys.stdin.read(), encoding="utf-8")
        case [kind, "rm", *options]:
            path = place(kind, options[-1])
            if path.is_dir():
                subprocess.run(["rm", "-r", str(path)], check=True)
            else:
                path.unlink()
        case [kind, "exists" | "inspect", *options] if place(kind, options[-1]).exists():
            pass
        case _:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
