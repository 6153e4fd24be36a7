"""A volume that has little room: a file system of its own, in memory, is mounted over its folder."""

from __future__ import annotations

from dataclasses import dataclass

from tests.hosts.host import Host

ROOM = 6 * 1024**2
MUCH = "1g"


@dataclass(frozen=True)
class Volume:
    """One volume, while nothing uses it."""

    host: Host
    name: str
    room: int = ROOM

    @property
    def folder(self) -> str:
        return f"/home/ai/.local/share/containers/storage/volumes/{self.name}/_data"

    def _as_root(self, command: str) -> str:
        """In the host's own namespace; Podman's receives what is mounted there."""
        return self.host.run(f"set -eu; cd /; {command}", user="root").stdout

    def shrink(self) -> None:
        """Move it onto a file system with `room` bytes left."""
        self._as_root(
            f"used=$(du --summarize --block-size=1 {self.folder} | cut -f1);"
            f"cp --archive {self.folder} /var/tmp/{self.name};"
            f"mount -t tmpfs -o size=$((used + {self.room})) {self.name} {self.folder};"
            f"cp --archive /var/tmp/{self.name}/. {self.folder}"
        )

    def fill(self) -> None:
        """Leave not a byte."""
        self._as_root(
            f"cat /dev/zero >{self.folder}/filling 2>/var/tmp/full || grep --quiet 'No space left' /var/tmp/full"
        )

    def grow(self) -> None:
        """As if somebody had tidied up, and more."""
        self._as_root(f"rm {self.folder}/filling; mount -o remount,size={MUCH} {self.folder}")

    def restore(self) -> None:
        """Back onto the disk, with what was written meanwhile."""
        self._as_root(
            f"rm --recursive --force /var/tmp/{self.name}; cp --archive {self.folder} /var/tmp/{self.name};"
            f"umount {self.folder};"
            f"find {self.folder} -mindepth 1 -delete; cp --archive /var/tmp/{self.name}/. {self.folder};"
            f"rm --recursive --force /var/tmp/{self.name}"
        )
