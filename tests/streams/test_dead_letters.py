"""``mqa dead-letters``: what died is listed, shown and, once its cause is mended, sent again under its id."""

import asyncio
import json
from collections.abc import Sequence
from typing import NamedTuple
from uuid import uuid4

import pytest
from aiokafka.structs import TopicPartition
from click.testing import CliRunner, Result

from engagement.days import iso_instant, midnight
from engagement.errors import Refused
from engagement.events import Family
from engagement.fates import adds_up
from engagement.machine import Record
from engagement.rulebook import load_rulebook
from streams.activation import activate_rulebook
from streams.connection import Connection
from streams.dead_letters.command import dead_letters
from streams.dead_letters.letters import read_place
from streams.genesis import create_environment, read_genesis
from streams.history.arrivals import Arrival
from streams.history.player import open_player
from streams.identity import partition_of
from streams.reading import read_to_end, reader
from streams.scanning import Place
from streams.topics import Environment
from tests.streams.histories import FIRST_DAY, PARTITIONS
from tests.streams.live_runs import Live, working

NOON = midnight(FIRST_DAY) + 12 * 3_600_000
DAY = 86_400_000
ACCOUNT = b"acme.com"
HOME = partition_of(ACCOUNT, PARTITIONS)
TEXT = "signals: {{download: {{points: 5}}{more}}}\nstage: {{mqa: {{enter: {{score: 100}}}}}}\n"
BEFORE, AFTER = (load_rulebook(TEXT.format(more=more), "test") for more in ("", ", telepathy: {points: 3}"))


def signal(event_id: str, **said: object) -> bytes:
    event = {"id": event_id, "kind": "download", "occurred_at": iso_instant(NOON), "email": "ann@acme.com"}
    return json.dumps(event | said, ensure_ascii=False).encode()


SENT = [
    signal("unknown-1", kind="telepathy"),
    b"",
    b'{"id": "torn\x1b[2J',
    signal("ahead", occurred_at=iso_instant(NOON + DAY)),
    signal("unknown-2", kind="telepathy", topic="\u202eevil"),
    signal("too late", occurred_at=iso_instant(NOON - 91 * DAY)),
]
MENDED = [0, 3, 4]
"""Which of these count once there is such a kind and the day after tomorrow has begun."""


class Commands(NamedTuple):
    """The command, for one environment."""

    kafka: Connection
    environment: Environment

    def run(self, command: str, *options: str) -> Result:
        where = ["--prefix", self.environment.prefix, "--bootstrap", self.kafka.bootstrap]
        return CliRunner().invoke(dead_letters, [command, *where, *options])

    def lines(self, command: str, *options: str) -> list[str]:
        result = self.run(command, *options)
        assert result.exception is None, repr(result.exception)
        return result.stdout.splitlines()

    def refusal(self, command: str, *options: str) -> str:
        result = self.run(command, *options)
        assert isinstance(result.exception, Refused), result.output
        return str(result.exception)


class Story(NamedTuple):
    """What was said before anything was mended; and after it was, and all that can be was sent again."""

    commands: Commands
    before: list[dict[str, object]]  # as `list --json` has it, for each of `SENT`
    listed: list[str]
    counted: dict[str, str]  # options -> the last line
    shown: list[str]
    shown_json: dict[str, object]
    torn: list[str]
    told: tuple[list[str], str]
    sent: list[str]
    after: list[dict[str, object]]
    listed_after: list[str]
    once_more: list[str]
    fates: dict[str, int]
    inputs: list[Record]


@pytest.fixture(scope="module")
def story(kafka: Connection, tmp_path_factory: pytest.TempPathFactory) -> Story:
    environment = Environment(f"test-{uuid4().hex[:12]}-")
    asyncio.run(create_environment(kafka, environment, partitions=PARTITIONS, clock="played", rulebook=BEFORE))
    commands, folder = Commands(kafka, environment), tmp_path_factory.mktemp("dead")
    arrivals = [Arrival(Family.INTENT_SIGNALS, HOME, NOON + number, ACCOUNT, value) for number, value in enumerate(SENT)]
    with working(kafka, environment, folder):
        asyncio.run(play(kafka, environment, FIRST_DAY, arrivals))
    before = [json.loads(line) for line in commands.lines("list", "--json")]
    places = [str(each["place"]) for each in before]
    choices = (
        "--reason late",
        "--topic web-visits",
        "--since 2025-01-01T12:00:00.004Z",
        "--until 2025-01-01T12:00:00.001Z",
        "--since 2025-01-01 --until 2025-01-02 --reason unknown_kind",
    )

    async def mend() -> None:
        await activate_rulebook(kafka, environment, await read_genesis(kafka, environment), AFTER, place="test")

    first = {
        "listed": commands.lines("list"),
        "counted": {options: commands.lines("list", *options.split(), "--last", "0")[-1] for options in choices},
        "shown": commands.lines("show", places[4]),
        "shown_json": json.loads(commands.run("show", places[4], "--json").stdout),
        "torn": commands.lines("show", places[2]),
        "told": (commands.run("retry").stdout.splitlines(), commands.refusal("retry")),
    }
    asyncio.run(mend())
    with working(kafka, environment, folder):  # which judges by the mended rulebook from its first event on
        asyncio.run(play(kafka, environment, FIRST_DAY + 2, []))
        sent = commands.lines("retry", "--yes")
        asyncio.run(play(kafka, environment, FIRST_DAY + 2, []))
        after, listed_after = [json.loads(line) for line in commands.lines("list", "--json")], commands.lines("list")
        once_more = commands.lines("retry", "--reason", "unknown_kind", "--yes")
    return Story(
        commands=commands,
        before=before,
        **first,
        sent=sent,
        after=after,
        listed_after=listed_after,
        once_more=once_more,
        fates=Live(kafka=kafka, environment=environment).fates(),
        inputs=asyncio.run(contents(kafka, environment, "intent-signals", HOME)),
    )


async def play(kafka: Connection, environment: Environment, day: int, arrivals: Sequence[Arrival]) -> None:
    async with open_player(kafka, environment) as player:
        await player.begin(day)
        await player.receive(arrivals)
        await player.settle()


async def contents(kafka: Connection, environment: Environment, topic: str, number: int) -> list[Record]:
    async with reader(kafka) as consumer:
        return [record async for batch in read_to_end(consumer, TopicPartition(environment.topic(topic), number)) for record in batch]


def test_letters_are_listed_the_newest_last_and_counted_below(story: Story) -> None:
    *lines, counted = story.listed
    assert [line.split("  ")[0] for line in lines] == [f"2025-01-01T12:00:00.00{number}Z" for number in range(6)]
    assert [line.split()[1] for line in lines] == ["unknown_kind", "empty_value", "malformed_json", "future", "unknown_kind", "late"]
    assert [line.split()[2:4] for line in lines] == [[each["place"], "intent-signals"] for each in story.before]
    assert lines[0].endswith("  kind = 'telepathy': the rulebook's signals have no such kind")
    assert counted == "6 dead letters: unknown_kind 2, empty_value 1, malformed_json 1, future 1, late 1; of intent-signals 6"


def test_some_are_chosen_by_reason_topic_and_time_and_these_are_counted(story: Story) -> None:
    assert [line.split(":")[0] for line in story.counted.values()] == [
        "1 dead letter",
        "0 dead letters",
        "2 dead letters",
        "1 dead letter",
        "2 dead letters",
    ]


def test_a_program_gets_one_json_object_a_line(story: Story) -> None:
    place, at = story.before[4].pop("place"), story.before[4].pop("at")
    assert (str(place).rpartition("/")[0], str(at)[-1]) == (f"{story.commands.environment.prefix}dead-letters/{HOME}", "Z")
    assert story.before[4] == {
        "reason": "unknown_kind",
        "detail": "kind = 'telepathy': the rulebook's signals have no such kind",
        "source": ["intent-signals", HOME, 4],
        "received_at": NOON + 4,
        "key": "acme.com",
        "headers": {},
        "retried_at": None,
    }


def test_one_is_shown_with_all_that_is_known_and_what_was_sent(story: Story) -> None:
    said = {line.split()[0]: " ".join(line.split()[1:]) for line in story.shown if not line.startswith(" ")}
    assert said.keys() == {"place", "reason", "detail", "source", "received", "died", "key", "retried", "original"}
    assert said["source"] == f"{story.commands.environment.prefix}intent-signals/{HOME}/4"
    assert (said["received"], said["key"], said["retried"]) == ("2025-01-01T12:00:00.004Z", "acme.com", "no")
    assert '      "topic": "\\u202eevil"' in story.shown, "what would turn the line round is escaped"
    assert story.shown_json["original"] == SENT[4].decode()


def test_what_is_no_json_is_shown_as_text_that_does_nothing_to_the_terminal(story: Story) -> None:
    assert story.torn[-1] == '    {"id": "torn\\x1b[2J'


def test_without_yes_it_only_tells_what_would_be_sent(story: Story) -> None:
    lines, refusal = story.told
    assert lines == [
        "5 dead letters: unknown_kind 2, malformed_json 1, future 1, late 1; of intent-signals 5",
        "left out: 1 empty_value: what is empty_value is so under all rules: mend its producer, and have it send anew",
    ]
    assert "add --yes" in refusal


def test_the_same_bytes_come_in_again_under_their_key_as_of_now(story: Story) -> None:
    assert story.sent[-1].startswith("5 sent again; ")
    again = story.inputs[len(SENT) :]
    assert [record.value for record in again] == [value for value in SENT if value]
    assert {(record.key, record.timestamp, tuple(record.headers)) for record in again} == {(ACCOUNT, midnight(FIRST_DAY + 2), ())}


def test_what_is_mended_is_counted_and_what_is_not_is_another_letter(story: Story) -> None:
    dead = {"empty_value": 1, "unknown_kind": 2, "future": 1, "malformed_json": 2, "late": 2}
    assert {fate: count for fate, count in story.fates.items() if count} == {
        "in": len(SENT) + 5,
        "counted": len(MENDED),
        **{f"dead:{reason}": count for reason, count in dead.items()},
    }
    assert adds_up(story.fates)


def test_what_was_sent_again_is_said_so_and_stays(story: Story) -> None:
    assert [each["retried_at"] is not None for each in story.after] == [True, False, True, True, True, True, False, False]
    assert [" (retried)" in line for line in story.listed_after[:-1]] == [each["retried_at"] is not None for each in story.after]
    assert story.listed_after[-1].startswith("8 dead letters: ")
    assert story.listed_after[-1].endswith("; 5 of them sent again")


def test_nothing_is_sent_twice(story: Story) -> None:
    assert story.once_more == ["0 dead letters", "left out: 2 sent again before"]
    assert "was sent again" in story.commands.refusal("retry", str(story.after[0]["place"]), "--yes")


def test_where_no_letter_lies_that_is_said_with_the_command_that_shows_them(story: Story) -> None:
    for command in ("show", "retry"):
        assert f"`mqa dead-letters list --prefix {story.commands.environment.prefix}` shows them" in story.commands.refusal(
            command, "0/999"
        )


def test_letters_are_chosen_by_place_or_by_options(story: Story) -> None:
    result = story.commands.run("retry", f"{HOME}/0", "--reason", "late")
    assert (result.exit_code, "name PLACEs, or choose by options" in result.output) == (2, True)


@pytest.mark.parametrize("text", ["t-dead-letters/3/17", "3/17"])
def test_a_place_is_read_as_it_is_listed_or_short(text: str) -> None:
    assert read_place(text, Environment("t-")) == Place(3, 17)


@pytest.mark.parametrize("text", ["", "17", "t-web-visits/3/17", "dead-letters/3/17", "3/-1", "3/٣", "a/3/17/1", "/3/17", "3/17/"])
def test_what_is_no_place_of_a_letter_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Refused, match="like t-dead-letters/3/17"):
        read_place(text, Environment("t-"))
