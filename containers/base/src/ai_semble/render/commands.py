"""`ai-semble units`: write the files that systemd and Podman are given."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ai_semble.errors import InvalidConfiguration
from ai_semble.loading import load_config
from ai_semble.render.rendering import render
from ai_semble.render.variants import (
    ALL_GPUS,
    Backend,
    Controller,
    Environment,
    Exposed,
    Host,
    Limits,
    Topology,
    Version,
)

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
        str,
        typer.Option(help="Controllers that the host delegates: cpu,io,memory,pids, some of them, or none."),
    ] = "cpu,memory,pids",
    config_dir: Annotated[
        str, typer.Option(help="The configuration folder on the host (only for kube).")
    ] = Host.config_dir,
    number: Annotated[
        int, typer.Option(min=0, help="Which of its user's environments it is; the default one is 0.")
    ] = 0,
    memory: Annotated[str, typer.Option(help="Memory of all services together: 8g, 1536m.")] = "",
    cpus: Annotated[str, typer.Option(help="Processors of all services together: 4, 1.5.")] = "",
    gpus: Annotated[str, typer.Option(help="Which GPUs: all, none, an index or a UUID.")] = ALL_GPUS,
    private_models: Annotated[
        bool, typer.Option("--private-models", help="It has models of its own.")
    ] = False,
) -> None:
    """Write all files of an environment. What it reaches, and who reaches it, stands in the configuration."""
    config = load_config()
    expose = config.expose
    # The development pod has the settings of the default environment, and two cannot have the same port.
    exposed = Exposed(expose.address, expose.port) if expose.address and not dev else None
    made = replace(
        Environment.of(
            environment,
            port,
            dev,
            exposed=exposed,
            internal=config.network.egress == "none",
            topology=Topology(config.network.topology),
        ),
        number=number,
        limits=Limits(parse_size(memory), parse_cpus(cpus)),
        gpu=parse_gpus(gpus),
        private_models=private_models,
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
            f"{text!r} names a controller that has no limit here",
            hint="Use cpu, io, memory and pids, or none.",
        ) from error


def parse_size(text: str) -> int | None:
    """MiB, from `8g` or `1536m`; nothing is no limit. Raises InvalidConfiguration."""
    if not text:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,6})([mg])", text, re.IGNORECASE)
    if found is None:
        raise InvalidConfiguration(f"{text!r} is no amount of memory", hint="Such as 8g or 1536m.")
    return int(found[1]) * (1024 if found[2] in "gG" else 1)


def parse_cpus(text: str) -> float | None:
    """From `4` or `1.5`; nothing is no limit. Raises InvalidConfiguration."""
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,2})?", text) or not float(text):
        raise InvalidConfiguration(f"{text!r} is no number of processors", hint="Such as 4 or 1.5.")
    return float(text)


def parse_gpus(text: str) -> str:
    """What NVIDIA calls its devices: all, an index, a UUID; or none. Raises InvalidConfiguration."""
    if not re.fullmatch(r"all|none|[0-9]{1,3}|(?:GPU|MIG)-[0-9A-Fa-f-]{8,64}", text):
        raise InvalidConfiguration(
            f"{text!r} is no GPU",
            hint="Use all, none, an index as 0, or a UUID as `nvidia-smi -L` prints it.",
        )
    return text
