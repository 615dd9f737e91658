"""``mqa webhooks`` as a person types it: what cannot be delivered is parked, looked at, and delivered after all, to the example."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from aiokafka.structs import TopicPartition
from click.testing import CliRunner, Result

from engagement.errors import Refused
from streams.connection import Connection
from streams.genesis import create_environment
from streams.topics import TIER_CHANGES, WEBHOOKS_PARKED
from streams.transaction import send
from streams.webhooks.command import webhooks
from streams.webhooks.metrics import WebhookMetrics
from tests.streams.metrics_story import Samples, total
from tests.streams.test_prometheus import WEBHOOKS, prometheus, queries
from tests.streams.webhook_receivers import SECRET, Receiver, failing, receiving, tier_change
from tests.streams.webhook_senders import PARTITIONS, Places, sending, until, write_file

ROOT = Path(__file__).parents[2]
BROKEN = [tier_change(account, sequence) for sequence in (1, 2) for account in ("acme.com", "umbrella.com")]


class Example:
    """The example of a receiver, as a process."""

    def __init__(self, process: subprocess.Popen[str], database: Path) -> None:
        assert process.stdout is not None
        self.url = f"{process.stdout.readline().strip()}/hook"
        self._database = database

    def accounts(self) -> dict[str, tuple[str, int]]:
        """Account -> the rung on which it stands, and how many changes it had."""
        with closing(sqlite3.connect(self._database)) as connection:
            rows = connection.execute("SELECT account, rung, changes FROM accounts").fetchall()
        return {account: (rung, changes) for account, rung, changes in rows}


@contextmanager
def example(folder: Path) -> Iterator[Example]:
    database = folder / "received.db"
    command = [sys.executable, str(ROOT / "examples/subscribers/webhook_receiver.py"), "--port", "0", "--database", str(database)]
    with subprocess.Popen(command, env={"WEBHOOK_SECRET": SECRET}, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Example(process, database)
        finally:
            process.terminate()


class Told(NamedTuple):
    """What the commands said, one after another."""

    busy: Samples  # while some waited
    metrics: Samples
    listed: Result
    listed_as_json: Result
    without_yes: Result
    to_the_broken: Result
    one_place: Result
    the_rest: Result
    listed_after: Result
    seen: Result
    accounts_after: dict[str, tuple[str, int]]
    accounts_in_the_end: dict[str, tuple[str, int]]
    data_for: dict[str, list[float]]  # query of the dashboard -> values
    prefix: str


@pytest.fixture(scope="module")
def told(kafka: Connection, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A receiver that fails, and one that is gone; everything of the failing one is parked, and sent to the example instead."""
    folder = tmp_path_factory.mktemp("webhooks")
    file = folder / "webhooks.yaml"
    places = Places(kafka)
    broken, gone = Receiver(behaviour=failing), Receiver()

    async def leaving(*_: object) -> web.StreamResponse:
        return web.Response(status=410)

    def command(*arguments: str) -> Result:
        where = ["--prefix", places.environment.prefix, "--bootstrap", kafka.bootstrap]
        return CliRunner().invoke(webhooks, [*arguments, *where])

    def crm(url: str, **more: Any) -> dict[str, Any]:
        given_up = {"retry": {"first": "1s", "longest": "1s", "give_up_after": "1s"}}
        return {"name": "crm", "url": url, "when": {"direction": "promotion"}, **given_up, **more}

    async def until_parked() -> tuple[Samples, Samples, dict[str, list[float]]]:
        gone.behaviour = leaving
        await create_environment(kafka, places.environment, partitions=PARTITIONS, clock="wall")
        async with receiving(broken, gone):
            write_file(file, crm(broken.url), {"name": "leaver", "url": gone.url})
            with sending(kafka, places.environment, file) as sender, prometheus(sender.port, folder) as watching:
                await watching.until("mqa_webhook_changes_total and mqa_webhook_changes_total offset 1s")
                async with kafka.producer() as producer:
                    partition = TopicPartition(places.environment.topic(TIER_CHANGES), 0)
                    await send(producer, {partition: [(b"who.com", b"not a tier change", (), None)]})
                await places.append(*BROKEN, tier_change("down.com", 1, direction="demotion", to="watch"))
                busy = await sender.until(lambda samples: bool(total(samples, "mqa_webhook_waiting", subscription="crm")))
                found = {query: await watching.until(query) for query in queries() if WEBHOOKS in query}
                metrics = await sender.until(lambda samples: total(samples, "mqa_webhook_lag_records", subscription="crm") == 0)
            to_the_broken.append(await asyncio.to_thread(command, "parked", "retry", "--file", str(file), "--yes"))
        return busy, metrics, found

    async def send_all_again(url: str) -> None:
        """Under another name, from the beginning: the same ids."""
        write_file(file, {"name": "again", "url": url})
        with sending(kafka, places.environment, file) as sender:
            await until(lambda: _is_left(places, "again"), sender.said)

    to_the_broken: list[Result] = []
    with pytest.MonkeyPatch.context() as patch, example(folder) as receiver:
        patch.setenv("HOOK_SECRET", SECRET)
        busy, metrics, found = asyncio.run(asyncio.wait_for(until_parked(), 120))
        write_file(file, crm(receiver.url))
        retry = ("parked", "retry", "--file", str(file))
        listed, listed_as_json = command("parked", "list"), command("parked", "list", "--json")
        first = json.loads(listed_as_json.stdout.splitlines()[0])["place"]
        without_yes, one_place = command(*retry), command(*retry, first, "--yes")
        the_rest, after, seen = command(*retry, "--yes"), command("parked", "list"), command("check", "--file", str(file), "--seen")
        accounts_after = receiver.accounts()
        asyncio.run(asyncio.wait_for(send_all_again(receiver.url), 60))
        return Told(
            busy=busy,
            metrics=metrics,
            listed=listed,
            listed_as_json=listed_as_json,
            without_yes=without_yes,
            to_the_broken=to_the_broken[0],
            one_place=one_place,
            the_rest=the_rest,
            listed_after=after,
            seen=seen,
            accounts_after=accounts_after,
            accounts_in_the_end=receiver.accounts(),
            data_for=found,
            prefix=places.environment.prefix,
        )


async def _is_left(places: Places, name: str) -> bool:
    return await places.left(name) == 0


def test_what_was_given_up_is_listed_with_the_last_answer(told: Told) -> None:
    *rows, counts = told.listed.stdout.splitlines()
    assert counts == "4 deliveries parked: crm 4"
    assert sorted(row.split()[3] for row in rows) == ["acme.com", "acme.com", "umbrella.com", "umbrella.com"]
    assert all(row.endswith("500 Internal Server Error: out of order") for row in rows)


def test_programs_get_the_bodies_too(told: Told) -> None:
    parked = [json.loads(line) for line in told.listed_as_json.stdout.splitlines() if line.startswith("{")]
    assert {each["webhook_id"] for each in parked} == {each["id"] for each in BROKEN}
    assert all(json.loads(each["body"])["data"]["id"] == each["webhook_id"] for each in parked)


def test_each_account_was_parked_in_order(told: Told) -> None:
    parked = [json.loads(line) for line in told.listed_as_json.stdout.splitlines() if line.startswith("{")]
    for account in ("acme.com", "umbrella.com"):
        assert [each["webhook_id"][-1] for each in parked if each["account"] == account] == ["1", "2"]


def test_nothing_is_sent_that_is_not_meant(told: Told) -> None:
    assert isinstance(told.without_yes.exception, Refused)
    assert str(told.without_yes.exception).endswith("these are old news to their receivers; add --yes if that is meant")


def test_of_an_account_whose_first_is_not_taken_the_next_is_left_out(told: Told) -> None:
    assert told.to_the_broken.exit_code == 1
    lines = told.to_the_broken.stdout.splitlines()
    assert len([line for line in lines if line.endswith("not taken (500 Internal Server Error: out of order)")]) == 2
    assert lines[-1] == "crm: 0 of 4 delivered"


def test_once_the_receiver_is_mended_all_are_delivered_and_parked_no_more(told: Told) -> None:
    assert told.one_place.stdout.splitlines()[-1] == "crm: 1 of 1 delivered"
    assert told.the_rest.stdout.splitlines() == ["3 deliveries parked: crm 3", "crm: 3 of 3 delivered"]
    assert told.listed_after.stdout == "0 deliveries parked\n"
    assert told.accounts_after == {"acme.com": ("mqa", 2), "umbrella.com": ("mqa", 2)}


def test_the_example_does_its_work_once_for_what_comes_twice(told: Told) -> None:
    assert told.accounts_in_the_end == told.accounts_after | {"down.com": ("watch", 1)}


def test_a_check_counts_what_each_would_have_got(told: Told) -> None:
    assert told.seen.exit_code == 0, told.seen.exception
    assert "4 of 5 tier changes that there are" in told.seen.stdout


def test_the_metrics_say_what_became_of_each(told: Told) -> None:
    outcomes = {
        outcome: total(told.metrics, "mqa_webhook_changes_total", subscription="crm", outcome=outcome)
        for outcome in ("parked", "unwanted", "unreadable", "delivered")
    }
    assert outcomes == {"parked": 4, "unwanted": 1, "unreadable": 1, "delivered": 0}
    assert total(told.metrics, "mqa_webhook_gone", subscription="leaver") == 1
    assert total(told.metrics, "mqa_webhook_lag_records", subscription="leaver")


def test_every_metric_moves(told: Told) -> None:
    moved = {name for samples in (told.busy, told.metrics) for (name, _), value in samples.items() if value}
    names = {sample.name for family in WebhookMetrics(["crm"]).registry.collect() for sample in family.samples}
    still = {name for name in names if not name.endswith(("_created", "_bucket"))} - moved
    assert not still


def test_a_real_prometheus_has_data_for_every_query_of_the_dashboard(told: Told) -> None:
    assert told.data_for
    assert all(told.data_for.values())


def test_what_somebody_else_wrote_is_left_out_and_counted(kafka: Connection, told: Told) -> None:
    async def write() -> None:
        async with kafka.producer() as producer:
            await send(producer, {TopicPartition(f"{told.prefix}{WEBHOOKS_PARKED}", 0): [(b"k", b"v", (), None), (None, None, (), None)]})

    asyncio.run(write())
    listed = CliRunner().invoke(webhooks, ["parked", "list", "--prefix", told.prefix, "--bootstrap", kafka.bootstrap])
    assert listed.stdout == "0 deliveries parked\nleft out: 2 records that nobody parked\n"


def test_a_check_says_in_words_what_a_subscription_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRM_SECRET", raising=False)
    file = tmp_path / "webhooks.yaml"
    file.write_text(
        "subscriptions:\n- name: crm\n  url: https://hooks.example.com/mqa?token=hidden\n  secret: CRM_SECRET\n"
        "  when: {ladder: stage, to: [mqa, accepted], direction: promotion, qualified: true, segment: emea, owner: ann}\n"
        "  include: baseline\n"
    )
    checked = CliRunner().invoke(webhooks, ["check", "--file", str(file)], catch_exceptions=False)
    assert checked.stdout.splitlines() == [
        "crm",
        "  every promotion on stage to mqa or accepted that qualifies of accounts in emea owned by ann; no restatements",
        "  to https://hooks.example.com/mqa?..., within 15s",
        "  tried again after pauses of up to 5s that grow to 1h, and parked after 3d",
        "  begins at the end where it has no position",
        "  signed with CRM_SECRET (not set here: CRM_SECRET)",
    ]


@pytest.mark.parametrize("arguments", [["check", "--file", "none.yaml"], ["test", "crm", "--file", "none.yaml"]])
def test_a_file_that_is_not_there_is_refused_with_a_remedy(arguments: list[str]) -> None:
    result = CliRunner().invoke(webhooks, arguments)
    assert str(result.exception) == "none.yaml: No such file or directory; name a webhooks file, see docs/webhooks.md"


def test_a_subscription_that_is_not_there_is_refused_with_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "webhooks.yaml"
    write_file(file, {"name": "crm", "url": "http://127.0.0.1:9/"})
    result = CliRunner().invoke(webhooks, ["test", "crn", "--file", str(file)])
    assert str(result.exception) == "crn is no subscription known here; did you mean crm?"


def test_a_signed_example_is_sent_to_try_a_receiver_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    file = tmp_path / "webhooks.yaml"
    with example(tmp_path) as receiver:
        write_file(file, {"name": "crm", "url": receiver.url})
        tried = CliRunner().invoke(webhooks, ["test", "crm", "--file", str(file)])
        assert tried.exit_code == 0
        assert tried.stdout.endswith(f" taken by {receiver.url}: 204\n")
        monkeypatch.setenv("HOOK_SECRET", SECRET[:-4] + "AAA=")
        refused = CliRunner().invoke(webhooks, ["test", "crm", "--file", str(file)])
        assert refused.exit_code == 1
        assert " not taken by " in refused.stdout
        assert ": 401 " in refused.stdout
        assert receiver.accounts() == {}
