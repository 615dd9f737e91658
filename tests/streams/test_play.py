"""How days are played: in order, none left out, each with its events, and one more in the end."""

import asyncio
from collections.abc import Iterable

import pytest
from aiokafka.structs import TopicPartition

from engagement.days import midnight, parse_day
from engagement.errors import Refused
from engagement.events import Family
from engagement.records import Day, decode
from streams.connection import Connection
from streams.genesis import create_environment
from streams.history.arrivals import Arrival, arrivals_by_day
from streams.history.lines import encode_line, read_history
from streams.history.play import Played, play_days
from streams.history.player import Player, open_player
from streams.reading import read_to_end, reader
from streams.topics import LOG, Environment

FIRST = parse_day("2025-01-01")


class Diary:
    """A stage that writes down what it is told."""

    def __init__(self) -> None:
        self.last_day: int | None = None
        self.entries: list[str] = []

    async def begin(self, day: int) -> None:
        first = day if self.last_day is None else self.last_day + 1
        self.entries += [f"day {each - FIRST}" for each in range(first, day + 1)]
        self.last_day = day

    async def receive(self, arrivals: Iterable[Arrival]) -> None:
        self.entries += [arrival.key.decode() for arrival in arrivals if arrival.key is not None]

    async def settle(self) -> None:
        self.entries.append("settled")


def history(*events: tuple[int, str]) -> Iterable[tuple[int, list[Arrival]]]:
    """Events as (day, key)."""
    lines = [encode_line(Family.WEB_VISITS, midnight(FIRST + day) + 1, key, raw="") for day, key in events]
    return arrivals_by_day(read_history(lines, "history"), 4)


async def told(
    stage: Diary, *events: tuple[int, str], quiet_days: int = 0, latest: int | None = None, stopping: asyncio.Event | None = None
) -> Played:
    return await play_days(stage, history(*events), advance=lambda *_: None, quiet_days=quiet_days, latest=latest, stopping=stopping)


async def days_in_log(kafka: Connection, environment: Environment) -> list[int]:
    async with reader(kafka) as consumer:
        partition = TopicPartition(environment.topic(LOG), 0)
        records = [record async for batch in read_to_end(consumer, partition) for record in batch]
    entries = [decode(record.value) for record in records if record.value is not None]
    return [entry.day for entry in entries if isinstance(entry, Day)]


async def test_a_day_begins_before_its_events_and_one_more_after_the_last() -> None:
    stage = Diary()
    played = await told(stage, (0, "a"), (0, "b"), (1, "c"))
    assert stage.entries == ["day 0", "a", "b", "day 1", "c", "day 2", "settled"]
    assert (played.events, played.days) == (3, 2)


async def test_days_without_events_begin_too() -> None:
    stage = Diary()
    await told(stage, (0, "a"), (3, "b"))
    assert stage.entries == ["day 0", "a", "day 1", "day 2", "day 3", "b", "day 4", "settled"]


async def test_quiet_days_follow_the_last() -> None:
    stage = Diary()
    await told(stage, (0, "a"), quiet_days=2)
    assert stage.entries == ["day 0", "a", "day 1", "day 2", "day 3", "settled"]


@pytest.mark.parametrize(("latest", "end"), [(0, []), (1, ["day 1"]), (2, ["day 1", "day 2"])])
async def test_of_the_days_after_the_history_none_begins_that_is_later_than_the_latest(latest: int, end: list[str]) -> None:
    stage = Diary()
    await told(stage, (0, "a"), quiet_days=7, latest=FIRST + latest)
    assert stage.entries == ["day 0", "a", *end, "settled"]


async def test_an_empty_history_begins_no_day() -> None:
    stage = Diary()
    await told(stage, quiet_days=3)
    assert stage.entries == ["settled"]


async def test_a_second_file_goes_on_where_the_first_has_ended() -> None:
    stage = Diary()
    await told(stage, (0, "a"))
    await told(stage, (1, "b"))
    await told(stage, (4, "c"))
    assert stage.entries == [
        *("day 0", "a", "day 1", "settled"),
        *("b", "day 2", "settled"),
        *("day 3", "day 4", "c", "day 5", "settled"),
    ]


async def test_a_stopped_play_ends_the_day_under_way_and_leaves_out_the_quiet_ones() -> None:
    stage, stopping = Diary(), asyncio.Event()
    stopping.set()
    await told(stage, (0, "a"), (1, "b"), quiet_days=5, stopping=stopping)
    assert stage.entries == ["day 0", "a", "day 1", "settled"]
    await told(stage, (1, "b"))
    assert stage.entries[4:] == ["b", "day 2", "settled"]


def test_a_key_decides_the_partition_a_line_may_overrule_it_and_no_key_takes_turns() -> None:
    at = midnight(FIRST)
    lines = [encode_line(Family.WEB_VISITS, at, "acme.com", raw="") for _ in range(2)]
    lines += [encode_line(Family.WEB_VISITS, at, "acme.com", raw="", partition=partition) for partition in (0, 1, 5)]
    lines += [encode_line(Family.WEB_VISITS, at, None, raw="") for _ in range(4)]
    ((_, arrivals),) = arrivals_by_day(read_history(lines, "history"), 4)
    keyed, overruled, keyless = arrivals[:2], arrivals[2:5], arrivals[5:]
    assert keyed[0].partition == keyed[1].partition
    assert [arrival.partition for arrival in overruled] == [0, 1, 1]
    assert sorted(arrival.partition for arrival in keyless) == [0, 1, 2, 3]


async def test_an_environment_that_runs_by_the_wall_is_refused(kafka: Connection, prefix: str) -> None:
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1, clock="wall")
    with pytest.raises(Refused, match=r"runs by the wall clock.*--clock played"):
        async with open_player(kafka, environment):
            pass


async def test_without_a_worker_a_play_says_how_to_start_one(kafka: Connection, prefix: str) -> None:
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1, clock="played")
    async with open_player(kafka, environment, patience=0.2) as player:
        with pytest.raises(Refused, match=f"2025-01-01: .* read nothing for 0.2 s.*`mqa worker --prefix {prefix}`"):
            await play_days(player, history((0, "a")), advance=lambda *_: None)


async def test_a_file_from_before_the_last_day_is_refused_and_the_play_under_way_goes_on(kafka: Connection, prefix: str) -> None:
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1, clock="played")
    async with open_player(kafka, environment) as first:
        await first.begin(FIRST + 9)
        async with open_player(kafka, environment) as second:
            with pytest.raises(Refused, match=r"2025-01-09, but the environment's last day is 2025-01-10.*topics create"):
                await play_days(second, history((8, "a")), advance=lambda *_: None)
        async with open_player(kafka, environment) as third:
            with pytest.raises(
                Refused, match=r"begins on 2026-01-13, 368 days after the environment's last day 2025-01-10.*mend its dates"
            ):
                await play_days(third, history((377, "a")), advance=lambda *_: None)
        await first.begin(FIRST + 10)
        assert first.last_day == FIRST + 10


async def test_a_day_that_another_play_has_begun_meanwhile_is_not_begun_again(kafka: Connection, prefix: str) -> None:
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1, clock="played")
    async with open_player(kafka, environment) as waiting:
        async with open_player(kafka, environment) as other:
            await other.begin(FIRST + 1)
        with pytest.raises(Refused, match=r"2025-01-01, but the environment's last day is 2025-01-02"):
            await waiting.begin(FIRST)
        await waiting.begin(FIRST + 2)
        assert await days_in_log(kafka, environment) == [FIRST + 1, FIRST + 2]


@pytest.mark.usefixtures("fenced_producers")
async def test_of_two_plays_that_begin_at_once_one_goes_on(kafka: Connection, prefix: str) -> None:
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1, clock="played")
    async with open_player(kafka, environment) as one, open_player(kafka, environment) as other:

        async def two_days(player: Player) -> None:
            await player.begin(FIRST)
            await player.begin(FIRST + 1)

        outcomes = await asyncio.gather(two_days(one), two_days(other), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Refused]
    assert await days_in_log(kafka, environment) == [FIRST, FIRST + 1]


@pytest.mark.usefixtures("fenced_producers")
async def test_a_second_player_takes_over_and_the_first_says_so(kafka: Connection, prefix: str) -> None:
    environment = Environment(prefix)
    await create_environment(kafka, environment, partitions=1, clock="played")
    async with open_player(kafka, environment) as first:
        await first.begin(FIRST)
        async with open_player(kafka, environment) as second:
            assert second.last_day == FIRST
            await second.begin(FIRST + 1)
            with pytest.raises(Refused, match="another `mqa play` has taken over"):
                await first.begin(FIRST + 1)
