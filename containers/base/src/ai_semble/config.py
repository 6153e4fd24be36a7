"""The configuration: every key, its type, its default, its limits, in one place.

Defaults < the TOML file < variables `AI_SEMBLE_<SECTION>__<KEY>`. Unknown keys are refused.
`loading.py` reads it; `ai-semble config show` says where each value came from.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyNetwork

from ai_semble.paths import Paths

Port = Annotated[int, Field(ge=1, le=65535)]
Bytes = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


def _address_or_none(text: str) -> str:
    return str(ip_address(text)) if text else ""


AddressOrNone = Annotated[str, AfterValidator(_address_or_none)]

KIB, MIB, GIB = 1024, 1024**2, 1024**3


class Section(BaseModel):
    """A table of the configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class EnvironmentConfig(Section):
    """Which environment this is."""

    name: str = Field(
        "default", pattern=r"^[a-z][a-z0-9-]{0,31}$", description="Name: lower-case letters, digits, hyphens."
    )


class ServerConfig(Section):
    """How every service listens."""

    host: str = Field(
        "127.0.0.1",
        description="Loopback address to listen on; `expose.address` is where other machines come in.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        ("localhost", "127.0.0.1", "[::1]"),
        description="Names that a Host header may have (against DNS rebinding), without port.",
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="Web origins whose pages may call the API, as `https://app.example`."
    )
    max_body_bytes: Bytes = Field(32 * MIB, description="Longest request body, except dataset uploads.")
    max_requests: Count = Field(1024, description="Requests a service answers at once; more get 503.")
    client_timeout_s: Seconds = Field(
        60,
        description="Time a client has to send the head of a request, to go on with its body (and a second for "
        "each KiB sent), or to go on reading the answer.",
    )
    shutdown_grace_s: Seconds = Field(
        10,
        le=15,
        description="Time for running requests to end when stopping, at most 15: Podman ends a container after 20 s.",
    )


class AccessConfig(Section):
    """Who gets in; `ai-semble keys` makes the API keys."""

    required: Literal["auto", "always"] = Field(
        "auto",
        description="Whether a request needs an API key. `auto`: not on loopback, nor in our images, whose port is "
        "published on loopback. A key that is given is always checked.",
    )


class ExposeConfig(Section):
    """The way in from other machines; `docs/howto/expose.md` shows it step by step."""

    address: AddressOrNone = Field(
        "",
        description="Address of this machine on which others reach the API, always with an API key: one of its own, "
        "`0.0.0.0` for all, or `127.0.0.1` for a reverse proxy beside it. Empty: nobody does.",
    )
    port: Port = Field(8443, description="Port there; the one of `orchestrator.port` stays on loopback.")
    plain_http: Literal["refused", "allowed"] = Field(
        "refused",
        description="Whether others may come without TLS, so that keys and texts can be read on the way. On loopback "
        "they may; elsewhere `ai-semble certificate install` is the way.",
    )
    trusted_proxies: tuple[Literal["local"] | IPvAnyNetwork, ...] = Field(
        (),
        description="Reverse proxies whose X-Forwarded-For, -Proto and -Host are believed: addresses, networks, or "
        "`local` for one on this machine, when `address` is loopback.",
    )


class NetworkConfig(Section):
    """What an environment reaches."""

    egress: Literal["guarded", "none"] = Field(
        "guarded",
        description="Whether the environment reaches other machines. `guarded`: it may, and URLs in requests are "
        "fetched by the rules of `fetch`. `none`: no URL is fetched, and the pod's network has no way out.",
    )
    topology: Literal["pod", "network"] = Field(
        "pod",
        description="How containers are kept apart. `pod`: they share one network and one user of the host. `network` "
        "(Podman 5): each has a user of its own, and only the orchestrator a way out; see docs/howto/run-the-pod.md.",
    )


class ResourcesConfig(Section):
    """What the services of this machine share."""

    threads: int = Field(0, ge=0, description="Compute threads of each engine; 0 is one per core.")
    keep_free_disk: Bytes = Field(
        512 * MIB, description="Disk that datasets and jobs leave free; what would take more gets 507."
    )


class LogsConfig(Section):
    """JSON logs on standard output."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level written.")


class ModelsConfig(Section):
    """Where models are and which there are."""

    directory: Path | None = Field(
        None, description="Folder of installed models; default under XDG_DATA_HOME."
    )
    catalogues: tuple[Path, ...] = Field(
        (),
        description="Further catalogue files, beside the shipped one and the config folder's `models.toml`.",
    )


class OrchestratorConfig(Section):
    """The public API."""

    port: Port = Field(8080, description="Port of the public API.")
    in_flight: Count = Field(256, description="Requests passed to one service at once; more get 503.")
    connect_timeout_s: Seconds = Field(2, description="Time to reach a service.")
    answer_timeout_s: Seconds = Field(300, description="Longest silence of a service before 504.")
    health_timeout_s: Seconds = Field(2, description="Time a service has to answer a health question.")


class UpstreamConfig(Section):
    """What every service behind the gateway has."""

    address: str = Field("127.0.0.1", description="Where the gateway finds the service.")


class LlmConfig(UpstreamConfig):
    """The language model service."""

    port: Port = Field(8081, description="Port of the service.")
    engine: Literal["llama.cpp", "openai"] = Field(
        "llama.cpp",
        description="What answers: `llama.cpp` here, or the OpenAI-compatible server at `base_url`.",
    )
    model: str = Field(
        "smollm2-135m-instruct",
        description="Installed model that llama.cpp serves; with `openai`, for calls that name none.",
    )
    base_url: str = Field(
        "", description="Address of the OpenAI-compatible server, as `http://gpu-box:8000/v1`."
    )
    api_key_file: Path | None = Field(None, description="File with the key for `base_url`, and nothing else.")
    load: Literal["start", "first_use"] = Field("start", description="When llama.cpp loads the model.")
    context: int = Field(
        4096, ge=256, description="Tokens that prompt and answer of one request may have together."
    )
    parallel: Count = Field(4, description="Requests answered at once; each has a context of its own.")
    queue: int = Field(32, ge=0, description="Requests that wait for a free place; more get 503.")
    threads: int = Field(0, ge=0, description="Threads of llama.cpp; 0 is as `resources.threads` says.")
    batch: Count = Field(
        256,
        description="Prompt tokens computed at once. Fewer: others wait less while a long prompt is read.",
    )
    cache_type: Literal["f16", "q8_0", "q4_0"] = Field(
        "q8_0",
        description="How the values of the context are kept in memory; `f16` takes twice as much as `q8_0`. Keys are "
        "always f16, since small models suffer when they are rounded.",
    )
    gpu_layers: int = Field(-1, ge=-1, description="Layers put on a GPU; -1 is as many as fit.")
    time_limit_s: Seconds = Field(600, description="Longest time that one answer may take.")
    cancel_limit_s: Seconds = Field(
        60, description="When a cancelled call takes longer to end, llama.cpp hangs and is started again."
    )


class VisionConfig(UpstreamConfig):
    """The vision service."""

    port: Port = Field(8082, description="Port of the service.")
    labels_model: str = Field("efficientnet-lite0", description="Model that labels and embeds pictures.")
    objects_model: str = Field("nanodet-g-416", description="Model that finds objects.")
    text_model: str = Field("ppocr-v6-small", description="Model that reads text.")
    faces_model: str = Field("blazeface-256", description="Model that finds faces.")
    safety_model: str = Field("open-nsfw", description="Model that judges whether a picture is fit for work.")
    preload: tuple[Literal["labels", "objects", "text", "faces", "safety"], ...] = Field(
        (), description="What is loaded at start; the rest is loaded at its first use."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where models run. `auto` uses a GPU when ONNX Runtime was built for it."
    )
    workers: Count = Field(2, description="Pictures worked on at once.")
    max_waiting: int = Field(64, ge=0, description="Pictures that may wait for their turn; more get 503.")
    max_megapixels: float = Field(50, gt=0, description="Pictures with more pixels are refused.")
    unsafe_from: float = Field(0.5, ge=0, le=1, description="Score from which a picture is not `safe`.")


class NlpConfig(UpstreamConfig):
    """The language processing service."""

    port: Port = Field(8083, description="Port of the service.")
    waiting: Count = Field(64, description="Requests that may wait for a turn; more get 503.")
    preload: tuple[str, ...] = Field(
        ("use-multilingual-v3", "lid-176"),
        description="Models opened right after start; the others are opened at their first use.",
    )


class DataConfig(UpstreamConfig):
    """The data processor."""

    port: Port = Field(8084, description="Port of the service.")
    concurrency: Count = Field(
        2, description="Operations computed at once, each in a process of its own with the limits below."
    )
    max_waiting: int = Field(32, ge=0, description="Operations that may wait for their turn; more get 503.")
    memory_limit: Bytes = Field(
        1 * GIB,
        ge=256 * MIB,
        description="Memory of one operation; what does not fit is kept on disk meanwhile.",
    )
    spill_limit: Bytes = Field(20 * GIB, description="Disk that one operation may use for what does not fit.")
    timeout_s: Seconds = Field(120, description="Time of one operation, after its turn has come.")
    max_rows: Count = Field(
        10_000, description="Rows of one answer; `output` writes any number as a dataset."
    )
    max_answer_bytes: Bytes = Field(32 * MIB, description="Length of one answer.")
    max_upload_bytes: Bytes = Field(20 * GIB, description="Longest file uploaded.")


class FetchConfig(Section):
    """What a URL in a request may reach."""

    max_bytes: Bytes = Field(25 * MIB, description="Longest file fetched from a URL.")
    timeout_s: Seconds = Field(20, description="Time for the whole fetch, redirects included.")
    max_redirects: int = Field(3, ge=0, le=10, description="Redirects followed; each is checked again.")
    max_parallel: Count = Field(32, description="URLs fetched at once; more get 503.")
    allowed_ports: tuple[Port, ...] = Field(
        (80, 443, 8080, 8443), description="Ports of public hosts that may be reached."
    )
    allowed_private_hosts: tuple[str, ...] = Field(
        (), description="`host:port` on private or loopback addresses that may be fetched nevertheless."
    )


class JobsConfig(Section):
    """Asynchronous calls."""

    workers: Count = Field(4, description="Jobs of one service that run at once.")
    max_queued: Count = Field(10_000, description="Jobs that may wait; more get 503.")
    retention_days: float = Field(7, gt=0, description="Ended jobs are forgotten after this time.")
    timeout_s: Seconds = Field(3600, description="Longest time that one attempt may take.")
    retry_for_s: Seconds = Field(
        3600, description="A job whose service is down or busy is tried again for this long, then fails."
    )
    max_breaks: Count = Field(
        3, description="A job that is broken off this often, by a crash on either side, fails."
    )


class WorkflowsConfig(Section):
    """Workflows and their runs."""

    max_running: Count = Field(
        16,
        description="Runs that go on at once, and as many at each depth of sub-workflows; the others wait.",
    )
    max_queued: Count = Field(1000, description="Runs that may wait; more get 503.")
    retention_days: float = Field(30, gt=0, description="Ended runs are forgotten after this time.")
    http_hosts: tuple[str, ...] = Field(
        (),
        description="Hosts that `http` steps and webhooks may call, as `example.com`, or `example.com:8443` for one "
        "port alone; `*.example.com` for all below. The rules of `fetch` hold besides.",
    )


class EmbeddedConfig(Section):
    """How the supervisor of the embedded mode treats the services."""

    hung_after_s: Seconds = Field(60, description="A service that is silent for this long is restarted.")
    start_limit_s: Seconds = Field(300, description="Time a service has from its start to its first answer.")
    ready_timeout_s: Seconds = Field(180, description="How long `start` waits until all services are ready.")
    failing_after: Count = Field(
        5, description="Quick deaths in a row after which a service is shown as failing."
    )
    longest_delay_s: Seconds = Field(30, description="Longest wait before a dead service is started again.")
    log_max_bytes: Bytes = Field(10 * MIB, description="Size at which a service's log file is put aside.")
    log_parts: Count = Field(3, description="Older log files kept for each service.")


class Config(Section):
    """The whole configuration."""

    environment: EnvironmentConfig = EnvironmentConfig()
    server: ServerConfig = ServerConfig()
    access: AccessConfig = AccessConfig()
    expose: ExposeConfig = ExposeConfig()
    network: NetworkConfig = NetworkConfig()
    orchestrator: OrchestratorConfig = OrchestratorConfig()
    llm: LlmConfig = LlmConfig()
    vision: VisionConfig = VisionConfig()
    nlp: NlpConfig = NlpConfig()
    data: DataConfig = DataConfig()
    jobs: JobsConfig = JobsConfig()
    workflows: WorkflowsConfig = WorkflowsConfig()
    fetch: FetchConfig = FetchConfig()
    resources: ResourcesConfig = ResourcesConfig()
    models: ModelsConfig = ModelsConfig()
    embedded: EmbeddedConfig = EmbeddedConfig()
    logs: LogsConfig = LogsConfig()

    def paths(self) -> Paths:
        """The folders of this environment."""
        return Paths.of(self.environment.name)

    def models_dir(self) -> Path:
        return self.models.directory or self.paths().models_dir

    def section_of(self, service: str) -> OrchestratorConfig | UpstreamConfig:
        """The section of a service of the topology table."""
        section: OrchestratorConfig | UpstreamConfig = getattr(self, SECTION_NAMES.get(service, service))
        return section

    def port_of(self, service: str) -> int:
        port: int = self.section_of(service).model_dump()["port"]
        return port


SECTION_NAMES = {"data-processor": "data"}
