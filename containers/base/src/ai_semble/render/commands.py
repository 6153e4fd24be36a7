"""`ai-semble units`: write the files that systemd and Podman are given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ai_semble.errors import InvalidConfiguration
from ai_semble.loading import load_config
from ai_semble.render.rendering import render
from ai_semble.render.variants import Backend, Controller, Environment, Exposed, Host, Topology, Version

app = typer.Typer(help="Write the units of an environment.", no_args_is_help=True)

_DEFAULT_VERSIONS = {Backend.QUADLET: "5.4", Backend.KUBE: "4.3"}

BackendOption = Annotated[Backend, typer.Option("--backend", help="What will run the containers.")]
NameOption = Annotated[str, typer.Option("--environment", help="Name of the environment.")]
DevOption = Annotated[
    str, typer.Option("--dev", metavar="SOURCE", help="Render the development pod, which runs this checkout.")
]


@app.command("render")
def write(
    output: Annotated[Path, typer.Option(help="Folder to write to.")],
    backend: BackendOption = Backend.QUADLET,
    podman: Annotated[str, typer.Option(help="Version of Podman, as 5.4.2.")] = "",
    environment: NameOption = "default",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port on the host's loopback address.")
    ] = None,
    dev: DevOption = "",
    gpu: Annotated[bool, typer.Option("--gpu", help="Give the GPUs to llm and vision.")] = False,
    selinux: Annotated[bool, typer.Option("--selinux", help="The host has SELinux on.")] = False,
    selinux_module: Annotated[
        bool, typer.Option("--selinux-module", help="It has the module ai_semble, too.")
    ] = False,
    limits: Annotated[
        str, typer.Option(help="Controllers that the host delegates: cpu,memory,pids, some of them, or none.")
    ] = "cpu,memory,pids",
    config_dir: Annotated[
        str, typer.Option(help="The configuration folder on the host (only for kube).")
    ] = Host.config_dir,
) -> None:
    """Write all files of an environment. What it reaches, and who reaches it, stands in the configuration."""
    config = load_config()
    expose = config.expose
    # All environments of a user have the same settings, and two cannot have the same port.
    is_exposed = expose.address and environment == "default" and not dev
    exposed = Exposed(expose.address, expose.port) if is_exposed else None
    made = Environment.of(
        environment,
        port,
        dev,
        exposed=exposed,
        internal=config.network.egress == "none",
        topology=Topology(config.network.topology),
    )
    host = Host(
        podman=Version.parse(podman or _DEFAULT_VERSIONS[backend]),
        limits=parse_limits(limits),
        gpu=gpu,
        selinux=selinux or selinux_module,
        selinux_module=selinux_module,
        config_dir=config_dir,
    )
    if host.backend is not backend:
        raise InvalidConfiguration(
            f"Podman {host.podman} cannot run {backend}", hint=f"Use --backend {host.backend}."
        )
    if made.is_apart and host.backend is not Backend.QUADLET:
        raise InvalidConfiguration(
            f'network.topology = "network" needs Podman 5, and this is {host.podman}',
            hint='Set network.topology = "pod", or upgrade Podman.',
        )
    output.mkdir(parents=True, exist_ok=True)
    for name, text in render(host, made).items():
        (output / name).write_text(text, encoding="utf-8")


def parse_limits(text: str) -> frozenset[Controller]:
    """From `cpu,memory` or `none`. Raises InvalidConfiguration."""
    words = [word for word in text.replace(" ", "").split(",") if word and word != "none"]
    try:
        return frozenset(Controller(word) for word in words)
    except ValueError as error:
        raise InvalidConfiguration(
            f"{text!r} names a controller that has no limit here", hint="Use cpu, memory and pids, or none."
        ) from error
