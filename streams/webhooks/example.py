"""A tier change that never happened, for trying an endpoint out."""

from uuid import uuid4

import msgspec

from engagement.changes import TierChange
from engagement.scoring import Factor
from engagement.subscriptions import Told
from streams.webhooks.message import Message, message_of

TEST = "test"
"""The mode by which a receiver knows it."""


def example_message() -> Message:
    """Make one, with an id of its own. It becomes the account example.com's promotion to MQA."""
    factor = Factor(kind="demo_request", points=100_000, clipped=0, count=1, people=1, events=("example",))
    change = TierChange(
        id=f"test-{uuid4().hex}",
        account="example.com",
        sequence=1,
        ladder="stage",
        from_="watch",
        to="mqa",
        passed=("engaged",),
        direction="promotion",
        qualified=True,
        reason="signal",
        cause="intent-signals:example",
        effective_at="2025-01-01T00:00:00.000Z",
        expires_at="2025-02-01T00:00:00.000Z",
        score=100_000,
        rolled_up_score=None,
        fit=80,
        fit_known=1_000,
        grade="A",
        value="low",
        people=1,
        surges=(),
        segments=(),
        cluster=None,
        pin=None,
        factors=(factor,),
        crm_id=None,
        owner=None,
        region=None,
        rulebook="example",
    )
    value = msgspec.json.encode(change)
    return message_of(msgspec.json.decode(value, type=Told), value, TEST)
