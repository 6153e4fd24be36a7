"""Every rendering is accepted by a real Quadlet generator and by systemd.

The host's own Podman reads what is meant for it and for older ones. What newer ones are given is read by the
generator of a newer package, which is unpacked on the host and not installed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_semble.render.variants import Backend, Version
from tests.hosts.host import Host
from tests.unit.render.variants import COMMITTED, GOLDENS, REPOSITORY, VARIANTS, Variant

OWN_GENERATOR = "/usr/libexec/podman/quadlet"
NEWER_GENERATOR = "/var/tmp/newer-podman/usr/libexec/podman/quadlet"  # noqa: S108 - on a host of its own
NEWER_RELEASE = "forky"

FOLDERS: dict[str, tuple[Path, Variant]] = {
    **{name: (GOLDENS / name, variant) for name, variant in VARIANTS.items()},
    **{name: (REPOSITORY / name, variant) for name, variant in COMMITTED.items()},
}
QUADLETS = [name for name, (_, variant) in FOLDERS.items() if variant.host.backend is Backend.QUADLET]
PODS = [name for name, (_, variant) in FOLDERS.items() if variant.host.backend is Backend.KUBE]


@pytest.fixture(scope="session")
def own_podman(host: Host) -> Version:
    return Version.parse(host.run("podman version --format '{{.Client.Version}}'").stdout)


@pytest.fixture(scope="session")
def newer_generator(host: Host) -> str:
    """The generator of a later release of Debian, fetched with lists of its own."""
    host.run(
        f"""set -e
        rm -rf /var/tmp/newer-podman; mkdir -p /var/tmp/newer-podman/apt/lists/partial; cd /var/tmp/newer-podman
        mirror=$(grep --only-matching --max-count 1 'https*://[^ ]*' /etc/apt/sources.list)
        keyring=/usr/share/keyrings/debian-archive-keyring.gpg
        echo "deb [signed-by=$keyring] $mirror {NEWER_RELEASE} main" > apt/sources.list
        options="-o Dir::Etc::SourceList=$PWD/apt/sources.list -o Dir::Etc::SourceParts=/dev/null"
        options="$options -o Dir::State::Lists=$PWD/apt/lists -o APT::Sandbox::User=root"
        # A mirror of a release under way may lag behind; what is fetched is only tried out here.
        options="$options -o Acquire::Check-Valid-Until=false"
        apt-get -qq $options update
        apt-get -qq $options download podman
        dpkg-deb --extract podman_*.deb .""",
        user="root",
        timeout=300,
    )
    return NEWER_GENERATOR


@pytest.mark.parametrize("name", QUADLETS)
def test_a_real_generator_and_systemd_accept_the_quadlets(
    host: Host, own_podman: Version, name: str, request: pytest.FixtureRequest
) -> None:
    folder, variant = FOLDERS[name]
    if own_podman < Version(5, 0):
        pytest.skip(f"Podman {own_podman} has no pods of Quadlets; run with --host=debian13")
    generator = OWN_GENERATOR
    if variant.host.podman > own_podman:
        generator = request.getfixturevalue("newer_generator")
    units = sent(host, folder, name)
    host.run(
        f"""set -e
        cd {units}; mkdir quadlets generated
        mv $(ls | grep -E '[.](container|pod|network|volume)$') quadlets/
        QUADLET_UNIT_DIRS=$PWD/quadlets {generator} -user -dryrun > /dev/null
        QUADLET_UNIT_DIRS=$PWD/quadlets {generator} -user generated
        test "$(ls generated/*.service | wc -l)" = "$(ls quadlets | wc -l)"
        mv generated/*.service .
        {verification(variant)}"""
    )


@pytest.mark.parametrize("name", PODS)
def test_systemd_accepts_the_units_of_a_played_pod(host: Host, name: str) -> None:
    folder, variant = FOLDERS[name]
    host.run(f"cd {sent(host, folder, name)} && {verification(variant)}")


def sent(host: Host, folder: Path, name: str) -> str:
    """The files of a variant, alone in a folder of the host."""
    remote = f"/tmp/goldens/{name}"  # noqa: S108
    host.run(f"rm -rf {remote}; mkdir -p /tmp/goldens")
    host.put(folder, remote)
    return remote


def verification(variant: Variant) -> str:
    """systemd says what it does not understand, and that must be nothing; the target pulls in all other units."""
    target = f"{variant.environment.prefix}.target"
    verify = f"systemd-analyze --user verify --man=no $PWD/{target} $PWD/*.service"
    return f'said=$(SYSTEMD_UNIT_PATH=$PWD: {verify} 2>&1) && test -z "$said" || {{ echo "$said"; exit 1; }}'
