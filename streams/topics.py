"""Every topic of an environment and its settings, as data, and the names that derive from the environment's prefix."""

import re
from dataclasses import dataclass
from typing import Literal

from engagement.contacts import CONTACTS
from engagement.days import MS_PER_DAY
from engagement.errors import Refused
from engagement.events import Family

Clock = Literal["wall", "played"]
"""How time comes into an environment: by the clock on the wall, or with a history that is played into it."""

CLOCKS: tuple[Clock, ...] = ("wall", "played")

MEGABYTE = 1 << 20
FOREVER = -1
ANY_TIME = 2**63 - 1
"""Kafka 4 refuses timestamps more than an hour ahead by default; a played history may lie anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSettings:
    """One topic. ``short`` is its name without the environment's prefix."""

    short: str
    content: str
    compacted: bool = False
    retention_ms: int = FOREVER
    max_message_bytes: int = 8 * MEGABYTE + MEGABYTE // 16  # the largest record our producers send, and its batch's header
    is_input: bool = False
    is_partitioned: bool = True  # in as many partitions as the environment has; else in one

    def partitions(self, count: int) -> int:
        """How many it has in an environment of ``count``."""
        return count if self.is_partitioned else 1

    def configs(self, clock: str, replication: int) -> dict[str, str]:
        """Kafka's topic settings, every one that matters said explicitly: a cluster's defaults differ."""
        configs = {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "max.message.bytes": str(self.max_message_bytes),
            # Inputs: when an event was received is Kafka's word. State: its append time tells the clock by how much ours is off.
            "message.timestamp.type": "LogAppendTime" if (self.is_input and clock == "wall") or self.compacted else "CreateTime",
            "unclean.leader.election.enable": "false",
            "min.insync.replicas": "2" if replication >= 3 else "1",  # noqa: PLR2004 - of three, one may be down
        }
        if self.compacted:
            # A restore reads all that is not compacted yet: small segments, as only closed ones are, and an early start.
            configs |= {"segment.bytes": str(64 * MEGABYTE), "min.cleanable.dirty.ratio": "0.2"}
            # What was deleted, a person above all, is gone from the disks in days, however little is written.
            configs |= {"max.compaction.lag.ms": str(MS_PER_DAY), "delete.retention.ms": str(MS_PER_DAY)}
        else:
            configs |= {"retention.ms": str(FOREVER if clock == "played" else self.retention_ms), "retention.bytes": str(FOREVER)}
        if clock == "played":
            configs |= {"message.timestamp.before.max.ms": str(ANY_TIME), "message.timestamp.after.max.ms": str(ANY_TIME)}
        return configs


INPUTS = tuple(family.value for family in Family)
LOG = "account-log"
TIER_CHANGES = "tier-changes"
RULEBOOKS = "rulebooks"
DEAD_LETTERS = "dead-letters"
FILTERED_EVENTS = "filtered-events"
WEBHOOKS_PARKED = "webhooks-parked"
CHANGELOGS = {"intake": "intake-changelog", "qualify": "accounts-changelog"}
"""Role -> the topic that holds its state."""

SOURCES: dict[str, tuple[str, ...]] = {"intake": INPUTS, "qualify": (LOG,)}
"""Role -> the topics that it reads."""

STATEFUL = (LOG, *CHANGELOGS.values())
"""Topics that start with a genesis record in every partition: losing one is losing what the environment knows."""


def _input(family: Family, content: str) -> TopicSettings:
    return TopicSettings(short=family.value, content=content, retention_ms=30 * MS_PER_DAY, max_message_bytes=4 * MEGABYTE, is_input=True)


TOPICS = (
    _input(Family.WEB_VISITS, "page views and identify events, by visitor"),
    _input(Family.INTENT_SIGNALS, "third-party intent, forms, ads, e-mail, by account or e-mail"),
    _input(Family.ACCOUNT_UPDATES, "what is known and decided about accounts"),
    TopicSettings(short=LOG, content="everything that can move an account, for ever"),
    TopicSettings(short=TIER_CHANGES, content="every step of an account, and why", retention_ms=730 * MS_PER_DAY),
    TopicSettings(
        short=RULEBOOKS, content="every rulebook that was active; which clock and key of hashes", compacted=True, is_partitioned=False
    ),
    TopicSettings(short=CONTACTS, content="contact lists, by person: the one place with clear names that lasts", compacted=True),
    TopicSettings(short=DEAD_LETTERS, content="what could not be used, and why", retention_ms=30 * MS_PER_DAY),
    TopicSettings(short=FILTERED_EVENTS, content="what was filtered, why, and where it lies", retention_ms=30 * MS_PER_DAY),
    TopicSettings(short=WEBHOOKS_PARKED, content="webhooks that were given up, and why", retention_ms=90 * MS_PER_DAY),
    TopicSettings(short=CHANGELOGS["intake"], content="state of intake", compacted=True),
    TopicSettings(short=CHANGELOGS["qualify"], content="state of every account", compacted=True),
)


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything of one environment is named after ``prefix``: several live on one broker without touching each other.

    ``prefix`` is empty, or ends in ``-``, ``.`` or ``_``. Raises `Refused` for another one.
    """

    prefix: str = ""

    def __post_init__(self) -> None:
        """Only what Kafka takes in a topic name."""
        if not re.fullmatch(r"([A-Za-z0-9._-]{0,149}[._-])?", self.prefix):
            msg = f"--prefix: {self.prefix!r} must be letters, digits, '.', '_' and '-', and end in one of the last three; try 'demo-'"
            raise Refused(msg)

    def topic(self, short: str) -> str:
        """``account-log`` -> ``demo-account-log``."""
        return self.prefix + short

    def short(self, full: str) -> str:
        """Invert `topic`; ValueError for a topic of another environment."""
        if not full.startswith(self.prefix):
            msg = f"{full!r} is no topic of the environment {self.prefix!r}"
            raise ValueError(msg)
        return full[len(self.prefix) :]

    @property
    def group(self) -> str:
        """Consumer group of the workers."""
        return f"{self.prefix}mqa"

    def transactional_id(self, role: str, partition: int) -> str:
        """One id a source partition number, whoever owns it: a new owner fences the old one."""
        return f"{self.prefix}mqa-{role}-{partition}"

    @property
    def create_command(self) -> str:
        """What a person types to make or complete it."""
        return f"mqa topics create{self.option}"

    @property
    def option(self) -> str:
        """How a command line names it, with a space in front."""
        return f" --prefix {self.prefix}" if self.prefix else ""
