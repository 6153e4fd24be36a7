"""What may still be written to a disk, so that some of it stays free for everything else on the machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ai_semble.config import MIB
from ai_semble.errors import InsufficientStorage
from ai_semble.metrics import Metrics


@dataclass(frozen=True)
class Room:
    """The disk of a folder that is there, of which `keep_free` bytes are not ours to fill."""

    folder: Path
    keep_free: int

    def left(self) -> int:
        """Bytes; 0 when there is less than what stays free."""
        return max(0, shutil.disk_usage(self.folder).free - self.keep_free)

    def check(self, wanted: int = 1) -> None:
        """Raises InsufficientStorage when so many bytes more would not leave enough."""
        left = self.left()
        if left < wanted:
            raise InsufficientStorage(
                f"{left // MIB} MiB may still be written, since {self.keep_free // MIB} MiB of the disk stay free",
                hint="Delete datasets or jobs that nobody needs, free space on the machine, or lower "
                "`resources.keep_free_disk` in the configuration.",
            )

    def report(self, metrics: Metrics) -> None:
        gauge = metrics.gauge(
            "ai_semble_disk_room_bytes", "What may still be written to the service's volume."
        )
        gauge.labels().set_function(self.left)
