"""Which hosts run on this machine, so that what a dead one left is recognised and removed. As root."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.hosts import cgroups
from tests.hosts.building import remove_tree
from tests.hosts.network import FORWARDING, Network, free_network
from tests.hosts.recipes import RUNNING


@dataclass(frozen=True)
class Entry:
    """A host and everything that outlives its processes. `began` tells a process from a later one of its number."""

    machine: str
    keeper: int
    began: str
    run_folder: str
    subnet: str = ""

    @property
    def network(self) -> Network:
        return Network(self.machine, self.subnet)

    @property
    def is_alive(self) -> bool:
        return beginning_of(self.keeper) == self.began


def beginning_of(pid: int) -> str:
    """When a process began; empty when there is none, or only what its parent has not asked for yet (a zombie)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    state, *numbers = status.rpartition(")")[2].split()
    return "" if state in "ZX" else numbers[18]


def enter(machine: str, run_folder: Path) -> Entry:
    """Remove what dead hosts left, then take a subnet and open the way out."""
    with _locked():
        for entry in _entries():
            if not entry.is_alive:
                _clean(entry)
        wanted = Entry(machine, os.getpid(), beginning_of(os.getpid()), str(run_folder))
        taken = {entry.subnet for entry in _entries()}
        entered = replace(wanted, subnet=free_network(machine, taken).subnet)
        _file(machine).write_text(json.dumps(asdict(entered)), encoding="utf-8")
        _keep_forwarding()
        entered.network.start_translation()
        return entered


def leave(entry: Entry) -> None:
    """Undo everything; the last one leaves forwarding as the first one found it."""
    _remove_files(entry)  # this takes time, in which others may enter
    with _locked():
        _clean(entry)


def _clean(entry: Entry) -> None:
    entry.network.stop_translation()
    _remove_files(entry)
    _file(entry.machine).unlink(missing_ok=True)
    if not _entries() and (before := RUNNING / "ip_forward").exists():
        FORWARDING.write_text(before.read_text(encoding="ascii"), encoding="ascii")
        before.unlink()


def _remove_files(entry: Entry) -> None:
    """Its processes first, since they may still write."""
    cgroups.remove(entry.machine)
    shutil.rmtree(f"/run/systemd/nspawn/propagate/{entry.machine}", ignore_errors=True)
    if Path(entry.run_folder).exists():
        remove_tree(Path(entry.run_folder))


def _keep_forwarding() -> None:
    before = RUNNING / "ip_forward"
    if not before.exists():
        before.write_text(FORWARDING.read_text(encoding="ascii"), encoding="ascii")
    FORWARDING.write_text("1", encoding="ascii")


def _file(machine: str) -> Path:
    return RUNNING / f"{machine}.json"


def _entries() -> list[Entry]:
    return [Entry(**json.loads(file.read_text(encoding="utf-8"))) for file in sorted(RUNNING.glob("*.json"))]


@contextmanager
def _locked() -> Iterator[None]:
    RUNNING.mkdir(exist_ok=True)
    with (RUNNING / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
