"""What is installed in an image, as CycloneDX (ECMA-424) 1.6: Python's distributions and Debian's packages.

Run while an image is built, `python -m ai_semble.inventory FILE`. It holds no time and no random number, so that the
same image has the same inventory.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

Component = dict[str, Any]

_PACKAGE = r"${Package}\t${Version}\t${Architecture}\t${db:Status-Status}\n"
_CLASSIFIER = "License :: "
# A licence field holds a name, or, in some distributions, the whole text.
_NAME_LENGTH = 100


def bill_of_materials(components: Iterable[Component]) -> dict[str, Any]:
    """The document: components in the order of their addresses, each once."""
    ordered = {component["purl"]: component for component in components}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "components": [ordered[purl] for purl in sorted(ordered)],
    }


def python_components(found: Iterable[Distribution]) -> Iterator[Component]:
    """Every Python distribution, with its licence as far as it says so."""
    for distribution in found:
        metadata = distribution.metadata
        name = re.sub(r"[-_.]+", "-", metadata["Name"]).lower()
        licences = _licences(distribution)
        component = _component(name, distribution.version, f"pkg:pypi/{name}@{_quoted(distribution.version)}")
        yield {**component, **({"licenses": licences} if licences else {})}


def debian_components(dpkg_lines: Iterable[str], *, vendor: str, release: str) -> Iterator[Component]:
    """Every package that is installed, from the lines of dpkg-query."""
    for line in dpkg_lines:
        name, version, architecture, status = line.split("\t")
        if status == "installed":
            place = f"arch={architecture}&distro={vendor}-{release}"
            yield _component(name, version, f"pkg:deb/{vendor}/{name}@{_quoted(version)}?{place}")


def _component(name: str, version: str, purl: str) -> Component:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _quoted(version: str) -> str:
    return quote(version, safe=".-_~:")


def _licences(distribution: Distribution) -> list[dict[str, Any]]:
    """An SPDX expression where there is one, else the names of its field or of its classifiers."""
    metadata = distribution.metadata
    for expression in metadata.get_all("License-Expression") or ():
        return [{"expression": expression}]
    classified = [
        text.rpartition(" :: ")[2]
        for text in metadata.get_all("Classifier") or ()
        if text.startswith(_CLASSIFIER)
    ]
    field = "".join(metadata.get_all("License") or ()).strip()
    names = [field] if field and len(field) <= _NAME_LENGTH and "\n" not in field else classified
    return [{"license": {"name": name}} for name in dict.fromkeys(names)]


def _dpkg_lines() -> list[str]:
    command = ["dpkg-query", "--show", f"--showformat={_PACKAGE}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()  # noqa: S603


def main(target: Path) -> None:
    """Write the inventory of the system and the environment that this runs in."""
    system = platform.freedesktop_os_release()
    debian = debian_components(
        _dpkg_lines(), vendor=system["ID"], release=system.get("VERSION_ID", "unknown")
    )
    document = bill_of_materials([*python_components(distributions()), *debian])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
