"""The inventory of an image is a valid CycloneDX document and names what is installed."""

from __future__ import annotations

import json
from importlib.metadata import distributions, version

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ai_semble.inventory import bill_of_materials, debian_components, python_components

DPKG = [
    "libc6\t2.41-12+deb13u4\tamd64\tinstalled",
    "openssl\t1:3.5.7-1~deb13u2\tamd64\tinstalled",
    "gone\t1.0\tall\tconfig-files",
]


def test_the_inventory_of_this_environment_is_valid_cyclonedx() -> None:
    debian = debian_components(DPKG, vendor="debian", release="13")
    document = bill_of_materials([*python_components(distributions()), *debian])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None
    purls = {component["purl"] for component in document["components"]}
    assert f"pkg:pypi/prometheus-client@{version('prometheus-client')}" in purls
    assert "pkg:deb/debian/libc6@2.41-12%2Bdeb13u4?arch=amd64&distro=debian-13" in purls


def test_a_package_that_was_removed_is_not_in_the_inventory() -> None:
    names = [component["name"] for component in debian_components(DPKG, vendor="debian", release="13")]
    assert names == ["libc6", "openssl"]


def test_nearly_every_python_distribution_tells_its_licence() -> None:
    components = list(python_components(distributions()))
    without = [component["name"] for component in components if "licenses" not in component]
    assert len(without) < len(components) / 10, without


def test_the_same_packages_make_the_same_inventory_in_any_order() -> None:
    components = list(python_components(distributions()))
    assert bill_of_materials(components) == bill_of_materials(reversed(components))
