"""``mqa rulebook activate`` as a person types it, and what is in the topics afterwards. No worker is needed for that."""

import asyncio
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition
from click.testing import CliRunner, Result

from engagement.account import AccountState, Standing
from engagement.errors import Refused
from engagement.records import ACTIVATION_KEY, SEMANTICS, Activation, decode
from engagement.rulebook import Rulebook, load_rulebook
from streams.activation import activate_rulebook, wait_until_judged
from streams.configuration import newest_rulebook
from streams.connection import Connection
from streams.genesis import create_environment, read_genesis
from streams.history.summary import changes_lines, funnel_lines, funnel_of
from streams.reading import read_to_end, reader
from streams.rulebooks import rulebook
from streams.topics import LOG, RULEBOOKS, Environment

FIRST = "signals: {page: {points: 1}, price: {points: 9, urls: [/price*]}}\nstage: {warm: {enter: {score: 5}}, hot: {enter: {score: 9}}}\n"
SECOND = FIRST.replace("points: 9", "points: 7")
THIRD = FIRST.replace("points: 9", "points: 8")
PARTITIONS = 2


@pytest.fixture
def environment(kafka: Connection, prefix: str) -> Environment:
    made = Environment(prefix)
    asyncio.run(create_environment(kafka, made, partitions=PARTITIONS, clock="played", rulebook=load(FIRST)))
    return made


def load(text: str) -> Rulebook:
    return load_rulebook(text, "test")


def activate(kafka: Connection, environment: Environment, file: Path, text: str, *options: str) -> Result:
    file.write_text(text)
    where = ["--prefix", environment.prefix, "--bootstrap", kafka.bootstrap]
    return CliRunner().invoke(rulebook, ["activate", str(file), *where, *options])


async def activations(kafka: Connection, environment: Environment) -> list[list[Activation]]:
    """Those in each partition of the log."""
    found: list[list[Activation]] = []
    async with reader(kafka) as consumer:
        for number in range(PARTITIONS):
            partition = TopicPartition(environment.topic(LOG), number)
            entries = [
                decode(record.value or b"")
                async for batch in read_to_end(consumer, partition)
                for record in batch
                if record.key == ACTIVATION_KEY
            ]
            found.append([entry for entry in entries if isinstance(entry, Activation)])
    return found


def test_it_writes_the_rulebook_into_every_partition_and_for_intake_to_find(kafka: Connection, environment: Environment, tmp_path: Path):
    told = activate(kafka, environment, tmp_path / "new.yaml", SECOND)
    second = load(SECOND)
    assert told.output == f"rulebook {second.version} is active in environment {environment.prefix!r}; every account is being judged anew\n"
    for (entry,) in asyncio.run(activations(kafka, environment)):
        assert (entry.version, entry.rulebook, entry.semantics) == (second.version, second.canonical(), SEMANTICS)
    assert asyncio.run(newest_rulebook(kafka, environment)).version == second.version


def test_the_active_rulebook_is_not_written_again_but_one_that_was_active_before_is(
    kafka: Connection, environment: Environment, tmp_path: Path
):
    first, second = load(FIRST).version, load(SECOND).version
    for text, written in ((FIRST, []), (SECOND, [second]), (SECOND + "# a comment\n", [second]), (FIRST, [second, first])):
        told = activate(kafka, environment, tmp_path / "new.yaml", text)
        assert told.exit_code == 0
        assert [[entry.version for entry in entries] for entries in asyncio.run(activations(kafka, environment))] == [written] * PARTITIONS
        assert asyncio.run(newest_rulebook(kafka, environment)).version == load(text).version
    again = activate(kafka, environment, tmp_path / "new.yaml", FIRST)
    assert again.output == f"rulebook {first} is active in environment {environment.prefix!r} already; nothing was written\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (FIRST + "history_days: 121\n", "history_days = 121 exceeds 120"),
        (FIRST.replace("/price*", "/pricing*"), "signals.price.urls differs"),
        (FIRST + "ignore_urls: [/jobs]\n", "ignore_urls differs"),
        ("sygnals: {}", "sygnals is no key known here"),
    ],
)
def test_what_cannot_be_activated_is_refused_and_leaves_nothing_behind(
    kafka: Connection, environment: Environment, tmp_path: Path, text: str, complaint: str
):
    refusal = activate(kafka, environment, tmp_path / "new.yaml", text).exception
    assert isinstance(refusal, Refused)
    assert str(refusal).startswith(f"{tmp_path}/new.yaml: {complaint}")
    assert asyncio.run(activations(kafka, environment)) == [[], []]
    assert asyncio.run(newest_rulebook(kafka, environment)).version == load(FIRST).version


def test_an_environment_that_is_not_there_is_refused_with_the_command_that_makes_it(kafka: Connection, prefix: str, tmp_path: Path):
    refusal = activate(kafka, Environment(prefix), tmp_path / "new.yaml", SECOND).exception
    assert isinstance(refusal, Refused)
    assert f"run `mqa topics create --prefix {prefix}`" in str(refusal)


async def test_of_activations_at_once_each_is_written_whole_or_told_that_another_came_between(kafka: Connection, prefix: str):
    environment = Environment(prefix)
    genesis = await create_environment(kafka, environment, partitions=PARTITIONS, clock="played", rulebook=load(FIRST))
    texts = (SECOND, THIRD, FIRST.replace("points: 9", "points: 6"))
    outcomes = await asyncio.gather(
        *(activate_rulebook(kafka, environment, genesis, load(text), place="new.yaml") for text in texts), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert all("another `mqa rulebook activate" in str(refusal) for refusal in refused)
    assert outcomes.count(True) + len(refused) == len(texts)
    one, other = await activations(kafka, environment)
    assert one == other
    assert {entry.version for entry in one} == {
        load(text).version for text, outcome in zip(texts, outcomes, strict=True) if outcome is True
    }
    assert one[-1].version == (await newest_rulebook(kafka, environment)).version


async def test_waiting_where_no_worker_runs_is_refused_with_the_command_that_starts_one(kafka: Connection, prefix: str):
    environment = Environment(prefix)
    genesis = await create_environment(kafka, environment, partitions=PARTITIONS, clock="played", rulebook=load(FIRST))
    with pytest.raises(Refused, match=f"the rulebook is active, but nothing was folded .*`mqa worker --prefix {prefix}`"):
        await wait_until_judged(kafka, environment, genesis, lambda _: None, patience=0.1)


async def test_where_the_rulebooks_were_lost_the_one_activated_last_is_written_again(kafka: Connection, prefix: str):
    environment = Environment(prefix)
    genesis = await create_environment(kafka, environment, partitions=PARTITIONS, clock="played", rulebook=load(FIRST))
    for text in (THIRD, SECOND):
        assert await activate_rulebook(kafka, environment, genesis, load(text), place="new.yaml")
    admin = AIOKafkaAdminClient(**kafka.client_options())
    await admin.start()
    await admin.delete_topics([environment.topic(RULEBOOKS)])
    await admin.close()
    with pytest.raises(Refused, match="mqa topics create"):
        await read_genesis(kafka, environment)
    await create_environment(kafka, environment)
    assert (await newest_rulebook(kafka, environment)).version == load(SECOND).version


def test_a_summary_has_a_place_for_rungs_and_ladders_of_earlier_rulebooks():
    fates = {"changes:stage:hot:mqa": 2, "changes:stage:watch:hot": 3, "changes:stage:watch:mqa": 1, "changes:tier:untiered:tier_1": 4}
    later = load("signals: {page: {}}\nstage: {mqa: {enter: {score: 9}}}")
    assert changes_lines(fates, later) == [
        "10 tier changes",
        "  stage: watch → mqa 1",
        "  stage: hot → mqa 2",
        "  stage: watch → hot 3",
        "  tier: untiered → tier_1 4",
    ]
    left = AccountState(standings={"stage": Standing("hot", 0), "tier": Standing("tier_1", 0)})
    assert funnel_lines(funnel_of([left, AccountState()], later)) == ["stage: watch 1  mqa 0  hot 1", "tier: untiered 1  tier_1 1"]
    assert funnel_lines(funnel_of([AccountState()], later)) == ["stage: watch 1  mqa 0"]
