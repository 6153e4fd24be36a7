"""Prometheus metrics of one service. Every sample carries `service`, so that one scrape can show all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

Instrument = TypeVar("Instrument", Counter, Gauge, Histogram)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The instruments of one service, in a registry of its own (nothing global, so tests do not meet).

    Instruments are made once, at start. A `service` label is put before the given labels and filled in.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.requests = Counter(
            "ai_semble_http_requests",
            "HTTP requests answered.",
            ["service", "method", "route", "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "ai_semble_http_request_duration_seconds",
            "Time from the first byte of a request to the last byte of its answer.",
            ["service", "method", "route"],
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.in_flight = self.gauge(
            "ai_semble_http_requests_in_flight", "HTTP requests being answered."
        ).labels()

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; its instruments are looked up once for each kind of request."""
        key = (method, route, status)
        known = self._known.get(key)
        if known is None:
            counter = self.requests.labels(self.service, method, route, str(status))
            known = self._known[key] = (counter, self.latency.labels(self.service, method, route))
        known[0].inc()
        known[1].observe(seconds)

    def counter(self, name: str, documentation: str, labels: Sequence[str] = ()) -> Bound[Counter]:
        return Bound(Counter(name, documentation, ["service", *labels], registry=self.registry), self.service)

    def gauge(self, name: str, documentation: str, labels: Sequence[str] = ()) -> Bound[Gauge]:
        return Bound(Gauge(name, documentation, ["service", *labels], registry=self.registry), self.service)

    def histogram(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = LATENCY_BUCKETS,
    ) -> Bound[Histogram]:
        made = Histogram(name, documentation, ["service", *labels], buckets=buckets, registry=self.registry)
        return Bound(made, self.service)

    def render(self) -> bytes:
        """The text exposition format, version 0.0.4."""
        return generate_latest(self.registry)


class Bound(Generic[Instrument]):
    """An instrument whose `service` label is already filled in: `bound.labels("ocr").inc()`."""

    def __init__(self, instrument: Instrument, service: str) -> None:
        self._instrument: Instrument = instrument
        self._service = service

    def labels(self, *values: str) -> Instrument:
        child: Instrument = self._instrument.labels(self._service, *values)
        return child
