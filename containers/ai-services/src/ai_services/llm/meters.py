"""What is measured of language models."""

from __future__ import annotations

from ai_semble.metrics import Metrics
from ai_services.llm.admission import Admission
from ai_services.llm.engines.protocol import Engine, EngineState, EngineStatus, Tally

SPEED_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Meters:
    """The instruments of the service. Gauges ask when they are scraped."""

    def __init__(self, metrics: Metrics, admission: Admission) -> None:
        tokens = metrics.counter("ai_semble_llm_tokens", "Tokens read or written.", ["kind"])
        self._read = tokens.labels("prompt")
        self._cached = tokens.labels("prompt_cached")
        self._written = tokens.labels("completion")
        self._first_token = metrics.histogram(
            "ai_semble_llm_time_to_first_token_seconds", "From a request's arrival to its first token."
        ).labels()
        self._speed = metrics.histogram(
            "ai_semble_llm_tokens_per_second", "Speed of writing of one request.", buckets=SPEED_BUCKETS
        ).labels()
        self._calls = metrics.counter(
            "ai_semble_llm_calls", "Calls of the engine, by how they ended.", ["end"]
        )
        self._queued = metrics.counter("ai_semble_llm_queued", "Calls that had to wait for a slot.").labels()
        self._refused = metrics.counter("ai_semble_llm_refused", "Calls refused: queue full.").labels()
        self._resident = metrics.gauge(
            "ai_semble_llm_model_resident", "1 while the model is in memory.", ["model", "device"]
        )
        self._memory = metrics.gauge("ai_semble_llm_engine_memory_bytes", "Resident memory of the engine.")
        metrics.gauge("ai_semble_llm_slots", "Calls that are worked on at once.").labels().set(
            admission.slots
        )
        metrics.gauge("ai_semble_llm_slots_busy", "Slots in use.").labels().set_function(
            lambda: admission.busy
        )
        metrics.gauge("ai_semble_llm_queue_waiting", "Calls waiting for a slot.").labels().set_function(
            lambda: admission.waiting
        )
        self._shown: tuple[str, str] | None = None

    def watch_memory(self, engine: Engine) -> None:
        self._memory.labels().set_function(engine.memory_bytes)

    def queued(self) -> None:
        self._queued.inc()

    def refused(self) -> None:
        self._refused.inc()

    def ended(self, tally: Tally | None, waited_s: float) -> None:
        """One call of the engine has ended; without a tally it broke off."""
        if tally is None:
            self._calls.labels("broken_off").inc()
            return
        self._calls.labels("done").inc()
        self._read.inc(tally.prompt_tokens - tally.cached_tokens)
        self._cached.inc(tally.cached_tokens)
        self._written.inc(tally.completion_tokens)
        self._first_token.observe(waited_s + tally.first_token_s)
        if tally.tokens_per_second:
            self._speed.observe(tally.tokens_per_second)

    def show(self, status: EngineStatus) -> None:
        """The model that is in memory now."""
        if self._shown:
            self._resident.labels(*self._shown).set(0)
            self._shown = None
        if status.state is EngineState.READY:
            for model in status.models[:1]:
                self._shown = (model.name, model.device)
                self._resident.labels(*self._shown).set(1)
