"""Without transactions: outputs, then state, then what vouches for it, then offsets; nothing is written behind something that failed."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from aiokafka.structs import TopicPartition

from engagement.machine import LANDMARKS_KEY, POSITION_KEY, RULEBOOK_KEY
from streams.delivery import AtLeastOnce, Offsets
from streams.transaction import Ambiguous, Row

LOG, CHANGES, STATE = TopicPartition("log", 1), TopicPartition("tier-changes", 0), TopicPartition("changelog", 0)
OFFSETS = {TopicPartition("visits", 0): 7}
BATCH = 3
"""Rows that fit one batch."""


def row(key: bytes, value: bytes | None = b"v") -> Row:
    return (key, value, (), None)


class Batch(list[bytes]):
    """Keys of a batch under way; takes `BATCH`."""

    def append(self, *, key: bytes, **_: Any) -> object:  # type: ignore[override]  # as aiokafka's builder has it
        return None if len(self) == BATCH else super().append(key) or self

    def record_count(self) -> int:
        return len(self)


class Broker:
    """Stands in for aiokafka's producer and the broker behind it; ``failing``: which batch it does not take."""

    def __init__(self, failing: int | None = None, error: Exception | None = None) -> None:
        self.written: list[tuple[TopicPartition, list[bytes]]] = []
        self.acknowledged: list[Offsets] = []
        self._failing, self._error, self._tried = failing, error or KafkaTimeoutError(), 0

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> "asyncio.Future[None]":
        answer = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(self._answer, answer, TopicPartition(topic, partition), batch)
        return answer

    def _answer(self, answer: "asyncio.Future[None]", partition: TopicPartition, batch: Batch) -> None:
        self._tried += 1
        if self._tried - 1 == self._failing:
            answer.set_exception(self._error)
        else:
            self.written.append((partition, [*batch]))
            answer.set_result(None)

    async def acknowledge(self, offsets: Offsets) -> None:
        self.acknowledged.append(offsets)

    async def commit(self, rows: dict[TopicPartition, list[Row]]) -> int:
        return await AtLeastOnce(self.acknowledge).commit(cast("AIOKafkaProducer", self), rows, OFFSETS, "group")


def step(accounts: int) -> dict[TopicPartition, list[Row]]:
    state = [row(b"a%d" % number) for number in range(accounts)]
    outputs = {LOG: [row(b"l%d" % number) for number in range(4)], CHANGES: [row(b"c")]}
    return outputs | {STATE: [row(LANDMARKS_KEY), row(b"gone", None), *state, row(RULEBOOK_KEY), row(POSITION_KEY)]}


async def test_outputs_come_before_state_and_state_before_the_position():
    broker = Broker()
    await broker.commit(step(accounts=4))
    assert sorted(broker.written[:3]) == [(LOG, [b"l0", b"l1", b"l2"]), (LOG, [b"l3"]), (CHANGES, [b"c"])]
    assert broker.written[3:] == [
        (STATE, [b"a0", b"a1", b"a2"]),
        (STATE, [b"a3"]),
        (STATE, [LANDMARKS_KEY, b"gone", RULEBOOK_KEY]),
        (STATE, [POSITION_KEY]),
    ]
    assert broker.acknowledged == [OFFSETS]


async def test_what_fits_one_batch_is_written_whole_or_not_at_all():
    broker = Broker()
    await broker.commit({CHANGES: [row(b"c")], STATE: [row(b"a"), row(LANDMARKS_KEY), row(POSITION_KEY)]})
    assert broker.written == [(CHANGES, [b"c"]), (STATE, [b"a", LANDMARKS_KEY, POSITION_KEY])]


@pytest.mark.parametrize("failing", range(7))
async def test_nothing_is_written_behind_what_failed(failing: int):
    whole, broker = Broker(), Broker(failing)
    await whole.commit(step(accounts=4))
    with pytest.raises(Ambiguous):
        await broker.commit(step(accounts=4))
    for partition in (LOG, CHANGES, STATE):
        full = [keys for where, keys in whole.written if where == partition]
        assert [keys for where, keys in broker.written if where == partition] == full[: sum(w == partition for w, _ in broker.written)]
    state_begun = any(where == STATE for where, _ in broker.written)
    assert not state_begun or sum(where != STATE for where, _ in broker.written) == 3
    assert broker.acknowledged == []


async def test_what_can_never_succeed_is_raised_as_it_is():
    with pytest.raises(MessageSizeTooLargeError):
        await Broker(0, MessageSizeTooLargeError()).commit(step(accounts=1))


async def test_offsets_alone_can_be_committed():
    broker = Broker()
    assert await broker.commit({}) == 0
    assert (broker.written, broker.acknowledged) == ([], [OFFSETS])
