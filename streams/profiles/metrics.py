"""The projector's closed catalogue of metrics, beside the worker's (`streams.worker.metrics`). `docs/operations.md` says what they mean."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from streams.profiles.sources import SOURCES


class ProjectorMetrics:
    """One projector's metrics."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """In ``registry``; None makes one of their own (importing this module registers nothing)."""
        registry = self.registry = CollectorRegistry() if registry is None else registry
        # Records of Kafka that the store has taken what they say of.
        self.records = Counter("mqa_projector_records", "Records projected, by topic.", ["topic"], registry=registry)
        # Records that are none of ours: somebody else wrote there.
        self.foreign = Counter("mqa_projector_foreign_records", "Records left out, by topic.", ["topic"], registry=registry)
        # Accounts written because their state changed, and those written anew as the day or the rules did.
        self.accounts = Counter("mqa_projector_accounts", "Accounts written.", registry=registry)
        self.refreshed = Counter("mqa_projector_refreshed_accounts", "Profiles made anew for another day or rulebook.", registry=registry)
        # Once at a start, and whenever the store or Kafka stood elsewhere than thought: a flush, a handover, a topic made anew.
        self.reopened = Counter("mqa_projector_reopenings", "Times that sources were opened.", registry=registry)
        # Records between what the store has and the end of the topic, as the broker says it. Where it says nothing, there is no value.
        self.lag = Gauge("mqa_projector_lag_records", "Records not projected yet.", ["topic", "partition"], registry=registry)
        # Since the store last took anything. It has reason to grow where nothing happens.
        self.idle = Gauge("mqa_projector_idle_seconds", "How long nothing was written.", registry=registry)
        # 0 while it answers.
        self.store_outage = Gauge("mqa_projector_store_outage_seconds", "How long the store has not answered.", registry=registry)
        self.kafka_outage = Gauge("mqa_projector_kafka_outage_seconds", "How long Kafka has not answered.", registry=registry)
        # Partitions of accounts that this projector reads, of which it has all profiles, and of which some are to be made anew.
        self.partitions = Gauge("mqa_projector_partitions", "Partitions of accounts read by this projector.", registry=registry)
        self.complete = Gauge("mqa_projector_complete_partitions", "Those of which every account is in the store.", registry=registry)
        self.stale = Gauge("mqa_projector_stale_partitions", "Those with profiles of an earlier day or rulebook.", registry=registry)
        # How much of what lay in the topic as it was opened is read; 1 once it is complete.
        self.progress = Gauge("mqa_projector_read_ratio", "How much of a partition is read.", ["partition"], registry=registry)
        # All projectors together must read as many.
        self.expected = Gauge("mqa_projector_expected_partitions", "Partitions of accounts that the environment has.", registry=registry)
        for topic in SOURCES:
            self.records.labels(topic)
            self.foreign.labels(topic)
