"""The closed catalogue of the webhook sender's metrics. `docs/operations.md` says what they mean."""

from collections.abc import Iterable
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.webhooks.attempt import SORTS, Sort

Outcome = Literal["delivered", "parked", "unwanted", "unreadable"]

_OUTCOMES: Final[tuple[Outcome, ...]] = ("delivered", "parked", "unwanted", "unreadable")
_ATTEMPT_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0)


class WebhookMetrics:
    """One sender's metrics in a registry of their own (importing this module registers nothing)."""

    def __init__(self, subscriptions: Iterable[str] = ()) -> None:
        """``subscriptions``: their names; what is counted of them stands at 0 from the beginning."""
        registry = self.registry = CollectorRegistry()
        # Where tier changes ended: `unwanted` by the filters; `unreadable` is a record that is no tier change.
        self.changes = Counter(
            "mqa_webhook_changes", "Tier changes, by subscription and outcome.", ["subscription", "outcome"], registry=registry
        )
        # Requests by how they were answered; all but 2xx are followed by another one, or the delivery is parked.
        self.attempts = Counter(
            "mqa_webhook_attempts", "Attempts to deliver, by subscription and answer.", ["subscription", "answer"], registry=registry
        )
        # From the request to the answer, or to its time-out.
        self.seconds = Histogram(
            "mqa_webhook_attempt_seconds", "Time of an attempt.", ["subscription"], buckets=_ATTEMPT_BUCKETS, registry=registry
        )
        # Deliveries in memory, those under way too. At the subscription's bound it fetches no more.
        self.waiting = Gauge("mqa_webhook_waiting", "Deliveries that wait in memory.", ["subscription"], registry=registry)
        # From the lowest offset that is neither delivered nor parked to the end of the topic, as the broker says it at the scrape.
        self.lag = Gauge("mqa_webhook_lag_records", "Tier changes not passed yet.", ["subscription", "partition"], registry=registry)
        # Since when the oldest change that waits in memory is effective. 0 where none waits.
        self.oldest = Gauge(
            "mqa_webhook_oldest_undelivered_seconds", "Age of the oldest change that waits.", ["subscription"], registry=registry
        )
        # The receiver answered 410: nothing is sent until a restart.
        self.gone = Gauge("mqa_webhook_gone", "1 where the receiver wants no more.", ["subscription"], registry=registry)
        for name in subscriptions:
            for outcome in _OUTCOMES:
                self.changes.labels(name, outcome)
            for sort in SORTS:
                self.attempts.labels(name, sort)
            for metric in (self.seconds, self.waiting, self.oldest, self.gone):
                metric.labels(name)


class SubscriptionMetrics:
    """Those of one subscription."""

    def __init__(self, metrics: WebhookMetrics, name: str) -> None:
        self._metrics, self._name = metrics, name

    def count(self, outcome: Outcome, changes: int = 1) -> None:
        """So many changes ended so."""
        self._metrics.changes.labels(self._name, outcome).inc(changes)

    def count_attempt(self, sort: Sort, seconds: float) -> None:
        """An attempt was answered so, after so long."""
        self._metrics.attempts.labels(self._name, sort).inc()
        self._metrics.seconds.labels(self._name).observe(seconds)

    def mark_gone(self) -> None:
        """The receiver wants no more."""
        self._metrics.gone.labels(self._name).set(1)

    def show_waiting(self, waiting: int, age: float) -> None:
        """So many wait, the oldest for ``age`` seconds."""
        self._metrics.waiting.labels(self._name).set(waiting)
        self._metrics.oldest.labels(self._name).set(age)

    def show_lag(self, lag: dict[int, int]) -> None:
        """Records by partition, of those that this sender has and no others."""
        self._metrics.lag.remove_by_labels({"subscription": self._name})
        for partition, records in lag.items():
            self._metrics.lag.labels(self._name, str(partition)).set(records)
