"""``mqa demo``: a broker, two workers, three months of history, one kill, and proof that nothing was lost."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import click
import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from engagement.changes import TierChange
from engagement.days import iso_day, parse_day
from engagement.errors import Refused
from engagement.fates import adds_up
from engagement.judging import Judge
from engagement.rulebook import default_rulebook_text, load_rulebook
from streams.broker.local import LocalBroker
from streams.connection import Connection
from streams.delivery import MEANINGS, Promise, delivery_of
from streams.demo.processes import PageProcess, WorkerProcess
from streams.demo.story import Story
from streams.genesis import PARTITIONS, create_environment
from streams.history.arrivals import Arrival, arrivals_by_day
from streams.history.compare import Comparison
from streams.history.engine import HistoryReplay, LogReplay
from streams.history.lines import read_history
from streams.history.live import compare_log, read_intake_fates
from streams.history.play import Played, play_days
from streams.history.player import open_player
from streams.history.progress import day_line
from streams.history.simulate import simulate_history
from streams.history.summary import fates_lines, funnel_lines, funnel_of
from streams.identity import make_identity
from streams.person_key import person_key
from streams.reading import reader
from streams.topics import TIER_CHANGES, Environment

ACCOUNTS, DAYS, START, SEED = 300, 92, parse_day("2025-01-01"), 1
KILL_ON = START + DAYS // 3
KILL_DELAY = 0.05
"""Seconds after the day was begun: in the middle of its transactions."""

FAILED = 1
_decode_change = msgspec.json.Decoder(TierChange).decode
Days = list[tuple[int, list[Arrival]]]


@click.command()
def demo() -> None:
    """Watch three months in a minute.

    On a broker of its own (a real Kafka where Java and Maven are there, else the embedded one), with two workers of which one is killed;
    leaves nothing behind. On a terminal it can be looked at in a browser, and ends when you say so.
    """
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # ends like Ctrl-C: with everything cleaned up
    broker = LocalBroker()
    click.echo(f"starting {broker.kind.title} and two workers for {DAYS} days of {ACCOUNTS} accounts", err=True)
    with tempfile.TemporaryDirectory(prefix="mqa-demo-") as folder, broker:
        complaints = asyncio.run(_Demo(broker.connection, Path(folder), is_watched=sys.stdout.isatty()).run())
    if complaints:
        sys.exit(FAILED)


class _Demo:
    def __init__(self, connection: Connection, folder: Path, *, is_watched: bool) -> None:
        self._connection, self._folder, self._is_watched = connection, folder, is_watched
        self._environment = Environment("demo-")
        self._rulebook = load_rulebook(default_rulebook_text(), "default rulebook")
        self._story = Story()
        self._workers: dict[str, WorkerProcess] = {}
        self._page: PageProcess | None = None
        self._killed_at = 0.0
        self._promise: Promise = "exactly_once"

    async def run(self) -> list[str]:
        """Run all of it; gives what did not hold. All processes have ended when it returns or raises."""
        began = monotonic()
        try:
            complaints = await self._run()
            for complaint in complaints:
                click.echo(f"mqa demo: {complaint}", err=True)
            click.echo(f"demo {'failed' if complaints else 'done'} in {monotonic() - began:.0f} s")
            if self._page is not None:
                await self._show(self._page)
        except Exception:
            for name, worker in self._workers.items():
                click.echo(f"--- the last that {name} said:\n{worker.last_words()}", err=True)
            raise
        finally:
            for worker in self._workers.values():
                worker.kill()
            if self._page is not None:
                self._page.end()
        return complaints

    async def _run(self) -> list[str]:
        genesis = await create_environment(self._connection, self._environment, clock="played", rulebook=self._rulebook)
        self._promise = delivery_of(genesis).promise
        click.echo(f"delivery is {MEANINGS[self._promise]}")
        for name in ("demo-1", "demo-2"):
            self._start(name)
        if self._is_watched:
            self._page = PageProcess(self._connection, self._environment, folder=self._folder)
        days, expected = await asyncio.to_thread(self._prepare)  # while these start
        if self._page is not None:
            click.echo(f"watch the accounts meanwhile at {await asyncio.to_thread(self._page.address)}")
        played = await self._unless_a_worker_ends(self._play(days))
        await self._stop()
        return await self._prove(played, expected)

    async def _show(self, page: PageProcess) -> None:
        """Let people look until they have enough; what they send meanwhile is worked on."""
        self._start("demo-1")
        enough = asyncio.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, enough.set)
        click.echo(
            f"these accounts are at {await asyncio.to_thread(page.address)} until you press Ctrl-C\n"
            f"(for commands: --prefix {self._environment.prefix} --bootstrap {self._connection.bootstrap})"
        )
        while page.status is None and not enough.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), 0.5)

    async def _stop(self) -> None:
        for name, worker in self._workers.items():
            status = await asyncio.to_thread(worker.stop)
            if status != 0:
                msg = f"worker {name} ended with status {status}, 0 was expected"
                raise Refused(msg)

    def _start(self, name: str) -> None:
        self._workers[name] = WorkerProcess(self._connection, self._environment, name, folder=self._folder)

    def _prepare(self) -> tuple[Days, dict[str, int]]:
        """Simulate the history; gives its days, and the fates that its events must come to."""
        lines = simulate_history(accounts=ACCOUNTS, days=DAYS, start_day=START, seed=SEED)
        days = list(arrivals_by_day(read_history(lines, "simulation"), PARTITIONS))
        key = person_key("played")
        identity = make_identity(partitions=PARTITIONS, secret=key.secret, key_id=key.key_id)
        replay = HistoryReplay(partitions=PARTITIONS, rulebook=self._rulebook, identity=identity)
        for day, arrivals in days:
            replay.begin(day)
            replay.receive(arrivals)
        return days, replay.fates

    async def _play(self, days: Days) -> Played:
        async with reader(self._connection) as consumer, open_player(self._connection, self._environment) as player:
            is_over = asyncio.Event()
            listening = asyncio.create_task(self._listen(consumer, is_over))
            try:
                with day_line("playing") as advance:
                    played = await play_days(player, self._with_a_kill(days), advance=advance, quiet_days=1)
                    is_over.set()
                    await listening
            finally:
                listening.cancel()
        return played

    def _with_a_kill(self, days: Days) -> Iterator[tuple[int, list[Arrival]]]:
        loop = asyncio.get_running_loop()
        for day, arrivals in days:
            if day == KILL_ON:
                loop.call_later(KILL_DELAY, self._kill, "demo-1")
            elif day == KILL_ON + 2:  # a whole day has passed since, so every partition is folded again
                click.echo(f"{iso_day(day)}  ** demo-1 was started again and is back after {monotonic() - self._killed_at:.1f} s **")
            yield day, arrivals

    def _kill(self, name: str) -> None:
        click.echo(f"{iso_day(KILL_ON)}  ** worker {name} is killed in the middle of its work (kill -9) **")
        self._killed_at = monotonic()
        self._workers[name].kill()
        self._start(name)

    async def _listen(self, consumer: AIOKafkaConsumer, is_over: asyncio.Event) -> None:
        """Read tier changes as any subscriber would, until the play is over and all are read."""
        topic = self._environment.topic(TIER_CHANGES)
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        heard: set[str] = set()  # a subscriber to whom repeats matter tells them by their id
        while True:
            ends = await consumer.end_offsets(partitions) if is_over.is_set() else None
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    change = _decode_change(record.value)
                    line = None if change.id in heard else self._story.hear(change)
                    heard.add(change.id)
                    if line is not None:
                        click.echo(line)
            if ends is not None and all([await consumer.position(partition) >= end for partition, end in ends.items()]):
                return

    async def _unless_a_worker_ends(self, playing: Coroutine[None, None, Played]) -> Played:
        task = asyncio.create_task(playing)
        try:
            while not task.done():
                await asyncio.wait([task], timeout=0.5)
                for name, worker in self._workers.items():
                    if worker.status is not None:
                        msg = f"worker {name} ended by itself with status {worker.status}"
                        raise Refused(msg)
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _prove(self, played: Played, expected: dict[str, int]) -> list[str]:
        """Say how it ended, and give what does not hold."""
        log, comparison = await compare_log(self._connection, self._environment, PARTITIONS, lambda _: None)
        fates = await read_intake_fates(self._connection, self._environment, PARTITIONS)
        self._close(log, fates, played, comparison)
        complaints = self._story.complaints()
        if not comparison.keeps(self._promise) or comparison.unfolded:
            complaints.append("live and replay differ (see above)")
        if self._story.heard != comparison.live - comparison.double:
            complaints.append(f"a subscriber read {self._story.heard} tier changes, {comparison.live - comparison.double} are in the topic")
        if fates != expected or not adds_up(fates):
            complaints.append(f"fates differ from a replay of the raw history: {sorted(set(fates.items()) ^ set(expected.items()))}")
        return complaints

    def _close(self, log: LogReplay, fates: dict[str, int], played: Played, comparison: Comparison) -> None:
        judge, day = Judge(self._rulebook, self._rulebook.version), START + DAYS
        accounts = {account: (state, judge.evaluate(account, state, day)) for account, state in log.states()}
        closing = [
            *self._story.epilogue(accounts),
            "",
            f"{played.days} days, {played.events:,} events played in {played.seconds:.1f} s",
            *funnel_lines(funnel_of((state for state, _ in accounts.values()), self._rulebook)),
            *fates_lines(fates),
            *comparison.lines(self._promise),
        ]
        click.echo("\n".join(closing))
