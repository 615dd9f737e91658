"""The closed catalogue of metrics: every name, label and unit that this product exposes. `docs/operations.md` says what they mean."""

from collections import Counter as Counts
from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from engagement.fates import WAITING
from engagement.machine import Step
from streams.topics import CHANGELOGS

_TRANSACTION_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """One worker's metrics in a registry of their own (importing this module registers nothing)."""

    def __init__(self, roles: Iterable[str] = tuple(CHANGELOGS)) -> None:
        """``roles``: what this worker folds; what is counted by role alone stands at 0 for them from the beginning."""
        registry = self.registry = CollectorRegistry()
        # Input records by what they were and where they ended first; ``kind`` is empty for what has none, see `engagement.intake`.
        self.events = Counter("mqa_events", "Input records, by kind and fate.", ["family", "kind", "fate"], registry=registry)
        # Where input events and log records ended: counted, filtered:<reason>, dead:<reason>, rerouted; qualify's likewise.
        self.fates = Counter("mqa_records", "Records folded, by role and fate.", ["role", "fate"], registry=registry)
        # What had ended so and ends otherwise now: its visitor is somebody else, or nobody again. (A counter must not fall.)
        self.moved = Counter("mqa_records_moved", "Records that got another fate than this one.", ["role", "fate"], registry=registry)
        # Visits that wait for their visitors to say who they are.
        self.waiting = Gauge("mqa_waiting_visits", "Visits that wait for their visitor to be known.", ["partition"], registry=registry)
        # Tier changes committed by this worker, by ladder, step and reason.
        self.changes = Counter(
            "mqa_tier_changes", "Tier changes committed.", ["ladder", "from_rung", "to_rung", "reason"], registry=registry
        )
        # Records between what is committed and the end of the topic, as the broker says it. Where it says nothing, there is no value.
        self.lag = Gauge("mqa_lag_records", "Records not folded yet.", ["role", "topic", "partition"], registry=registry)
        # Since when the first of them lies there. Only in an environment that runs by the wall clock: a history's records are old anyway.
        self.oldest = Gauge(
            "mqa_oldest_unprocessed_seconds", "Age of the oldest record not folded yet.", ["role", "partition"], registry=registry
        )
        # begin to end of a transaction, sends included; what readers wait for.
        self.transaction = Histogram(
            "mqa_transaction_seconds", "Time of a committed transaction.", ["role"], buckets=_TRANSACTION_BUCKETS, registry=registry
        )
        # Transactions done again after a retriable error.
        self.aborts = Counter("mqa_transaction_aborts", "Transactions aborted and done again.", ["role"], registry=registry)
        # A newer owner took a unit; more than a few an hour mean that two workers want the same units.
        self.fences = Counter("mqa_fences", "Units lost to a newer owner.", ["role"], registry=registry)
        # Chunks that Faust dropped and that were fetched again.
        self.reseeks = Counter("mqa_reseeks", "Times a unit fetched again from its position.", ["role"], registry=registry)
        # State in memory: its rows, and the bytes of their keys and values. What indexes take, and Python itself, comes on top.
        self.rows = Gauge("mqa_state_rows", "Rows of state.", ["role", "partition"], registry=registry)
        self.state_bytes = Gauge("mqa_state_bytes", "Keys and values of the rows of state.", ["role", "partition"], registry=registry)
        # How long the last restore of a unit took; how far the one under way has come, 1 once it is done; and how many are.
        self.restore = Gauge("mqa_restore_seconds", "Time of the last restore of a unit.", ["role", "partition"], registry=registry)
        self.restored = Gauge(
            "mqa_restored_ratio", "How much of its changelog a unit has read, 0 to 1.", ["role", "partition"], registry=registry
        )
        self.restoring = Gauge("mqa_restoring_units", "Units being restored now.", registry=registry)
        # The rulebook that intake goes by: 1 under its version, and nothing under any other.
        self.rulebook = Gauge("mqa_rulebook_info", "The rulebook that intake goes by.", ["version"], registry=registry)
        # Which promise the environment keeps: 1 under `exactly_once` or `at_least_once`.
        self.delivery = Gauge("mqa_delivery_info", "How tier changes are delivered.", ["promise"], registry=registry)
        # Units folded by this worker, of how many that there are of each role: all workers together must have them all.
        self.units = Gauge("mqa_units", "Units owned by this worker.", ["role"], registry=registry)
        self.partitions = Gauge("mqa_partitions", "Partitions of the environment: each role has as many units.", registry=registry)
        # The rule day of each log partition, in days since 1970: a partition that lags shows here.
        self.rule_day = Gauge("mqa_rule_day", "Rule day of a log partition (days since 1970-01-01).", ["partition"], registry=registry)
        # By how much this worker's clock differs from the broker's when it was about to append a day record. 0 where it appends none.
        self.clock_skew = Gauge(
            "mqa_clock_skew_seconds", "This worker's clock less the broker's at the last day record.", registry=registry
        )
        # A day that began but whose record waits for intake. 0 on workers that append none.
        self.day_delay = Gauge("mqa_day_delay_seconds", "How long the next day record has been waiting for intake.", registry=registry)
        # The process itself, under the names that everybody has for it. Where there is no /proc (macOS), nothing.
        ProcessCollector(registry=registry)
        for role in roles:
            for metric in (self.transaction, self.aborts, self.fences, self.reseeks, self.units):
                metric.labels(role)

    def count_step(self, role: str, before: Mapping[str, int], step: Step) -> None:
        """Add what a step counted, and what it added to its position's fates, which were ``before``. Costs nothing for each record."""
        for fate, total in step.position.fates.items():
            added = total - before.get(fate, 0)
            if not added or fate == WAITING or fate.startswith("changes:"):
                continue
            if added < 0:
                self.moved.labels(role, fate).inc(-added)
            else:
                self.fates.labels(role, fate).inc(added)
        tally = self.events if role == "intake" else self.changes
        for labels, count in step.tally.items():
            tally.labels(*labels).inc(count)

    def totals(self) -> Counts[str]:
        """What this worker folded since it began: records by role and fate, and tier changes."""
        totals: Counts[str] = Counts()
        for metric in (*self.fates.collect(), *self.changes.collect()):
            for sample in metric.samples:
                if sample.name.endswith("_total"):
                    what = f"{sample.labels['role']} {sample.labels['fate']}" if "fate" in sample.labels else "tier changes"
                    totals[what] += int(sample.value)
        return totals

    def forget_unit(self, role: str, partition: int) -> None:
        """A unit left this worker: its gauges must not stand still at their last values."""
        unit = {"role": role, "partition": str(partition)}
        for gauge in (self.rows, self.state_bytes, self.restore, self.restored, self.lag, self.oldest):
            gauge.remove_by_labels(unit)
        (self.rule_day if role == "qualify" else self.waiting).remove_by_labels({"partition": unit["partition"]})
