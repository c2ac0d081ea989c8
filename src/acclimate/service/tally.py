"""Counts of what was asked, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from acclimate.service.shelf import Shelf

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Tally:
    """Requests by route and status, seconds by route, versions that are served.

    Labels are routes and statuses, never what a caller sent.
    """

    def __init__(self) -> None:
        self._all = CollectorRegistry()
        self._requests = Counter(
            "acclimate_requests", "Requests answered.", ("route", "status"), registry=self._all
        )
        self._seconds = Histogram(
            "acclimate_request_seconds",
            "Seconds from the headers to the reply.",
            ("route",),
            buckets=_SECONDS,
            registry=self._all,
        )
        self._version = Gauge(
            "acclimate_served_version", "The version served.", ("model",), registry=self._all
        )
        self._failed = Gauge(
            "acclimate_champion_not_served",
            "1 where a champion could not be loaded.",
            ("model",),
            registry=self._all,
        )
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def count(self, route: str, status: int, seconds: float) -> None:
        """One request more."""
        known = self._known.get((route, status))
        if known is None:
            known = (
                self._requests.labels(route, str(status)),
                self._seconds.labels(route),
            )
            self._known[route, status] = known
        known[0].inc()
        known[1].observe(seconds)

    def text(self, shelf: Shelf) -> bytes:
        """All of it in the form that Prometheus reads."""
        for name, served in list(shelf.served.items()):
            self._version.labels(name).set(served.version.number)
            self._failed.labels(name).set(float(name in shelf.failed))
        for name in list(shelf.failed):
            self._failed.labels(name).set(1.0)
        found: bytes = generate_latest(self._all)
        return found
