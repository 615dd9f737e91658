"""The closed catalogue of `mqa serve`'s metrics. `docs/operations.md` says what they mean."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class ServeMetrics:
    """One server's metrics in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        # Requests answered, by the route's path as the OpenAPI document has it (`none`: no route), method and status.
        self.requests = Counter("mqa_api_requests", "Requests answered.", ["route", "method", "status"], registry=registry)
        # From the request's head to the last byte of the answer.
        self.seconds = Histogram("mqa_api_request_seconds", "Time of a request.", ["route", "method"], buckets=_SECONDS, registry=registry)
        # Requests that are being answered.
        self.in_flight = Gauge("mqa_api_in_flight_requests", "Requests being answered.", registry=registry)
        # What people said through the API, by what it was and whether Kafka has it: `sent` or `failed`.
        self.updates = Counter("mqa_api_updates", "Account updates sent to Kafka.", ["action", "outcome"], registry=registry)
