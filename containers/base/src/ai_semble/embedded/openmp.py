"""GNU's OpenMP runtime: llama.cpp needs it, and a bare Debian or Ubuntu does not have it.

Python wheels are allowed to carry it under a name of their own. One that does is among the embedded
requirements, and its copy is offered under the usual name to services on systems without.
"""

from __future__ import annotations

import ctypes
import os
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path

LIBRARY = "libgomp.so.1"


def system_has_it() -> bool:
    """Whether the dynamic linker finds the runtime by itself."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


def carried_by_a_wheel(site_packages: Path) -> Path | None:
    """A copy inside an installed package, None when there is none."""
    return next(iter(sorted(site_packages.glob("*.libs/libgomp-*.so*"))), None)


def with_openmp(
    variables: Mapping[str, str],
    folder: Path,
    *,
    site_packages: Path | None = None,
    has_it: Callable[[], bool] = system_has_it,
) -> dict[str, str]:
    """The variables, with `folder` on the library path where the system lacks the runtime."""
    copy = None if has_it() else carried_by_a_wheel(site_packages or Path(sysconfig.get_path("platlib")))
    if copy is None:
        return dict(variables)
    folder.mkdir(exist_ok=True)
    link = folder / LIBRARY
    link.unlink(missing_ok=True)
    link.symlink_to(copy)
    path = [str(folder), *filter(None, [variables.get("LD_LIBRARY_PATH", "")])]
    return {**variables, "LD_LIBRARY_PATH": os.pathsep.join(path)}
