"""Whether the server is well, part by part."""

from collections.abc import Mapping

from streams.profiles.memory import MemoryStore
from streams.profiles.store import Batch, Mark, StoreUnavailable
from tests.streams.api.conftest import Client
from tests.streams.histories import RULEBOOK
from tests.streams.served import READER, Told


class Marked(MemoryStore):
    def __init__(self, *marks: Mark) -> None:
        super().__init__()
        self.said = dict(enumerate(marks))

    async def marks(self) -> Mapping[int, Mark]:
        return self.said


class Away(MemoryStore):
    async def marks(self) -> Mapping[int, Mark]:
        raise StoreUnavailable("Redis at 127.0.0.1:6379: refused")


DONE = Mark(rule_day=20_000, rulebook="r", refreshed=(20_000, "r"), is_complete=True, partitions=2)
BEHIND = Mark(rule_day=19_999, rulebook="r", refreshed=(19_999, "r"), is_complete=False, partitions=2)
STALE = Mark(rule_day=20_000, rulebook="r", refreshed=(19_999, "r"), is_complete=True, partitions=2)


async def test_a_server_that_can_answer_is_ready(client: Client) -> None:
    async with client(store=Marked(DONE, DONE)) as api:
        answer = await api.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "store": {"well": True, "says": "answers"},
        "profiles": {"well": True, "says": "complete, as of 2024-10-04"},
        "kafka": {"well": True, "says": "takes updates"},
    }


async def test_a_server_without_a_store_is_not_ready_and_says_which_part_it_lacks(client: Client) -> None:
    async with client(store=Away()) as api:
        answer = await api.get("/health/ready")
        alive = await api.get("/health/live")
    assert (answer.status_code, alive.status_code) == (503, 200)
    assert answer.json()["store"] == {"well": False, "says": "Redis at 127.0.0.1:6379: refused"}


async def test_a_store_that_knows_nothing_yet_makes_no_server_ready(client: Client) -> None:
    async with client(store=MemoryStore()) as api:
        answer = await api.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["profiles"]["says"] == "the store knows nothing yet: is a projector running?"


async def test_profiles_that_are_being_rebuilt_are_told_and_what_there_is_is_answered(client: Client) -> None:
    async with client(store=Marked(DONE, BEHIND)) as api:
        answer = await api.get("/health/ready")
    assert answer.status_code == 200
    profiles = answer.json()["profiles"]
    assert profiles == {"well": False, "says": "1 of 2 partitions are being rebuilt, as of 2024-10-03 to 2024-10-04"}


async def test_partitions_that_nobody_has_told_of_are_missing_wherever_it_is_said_whether_all_is_there(client: Client) -> None:
    store = Marked(DONE)
    await store.take([Batch(source="accounts-changelog/0", start=0, stop=1, rulebooks={"r": RULEBOOK.canonical()})])
    async with client(READER, store=store) as api:
        profiles = (await api.get("/health/ready")).json()["profiles"]
        answers = [(await api.get(f"/api/v1/{path}")).json() for path in ("overview", "accounts")]
    assert profiles == {"well": False, "says": "1 of 2 partitions are there, as of 2024-10-04: does a projector run for the others?"}
    assert [answer["is_complete"] for answer in answers] == [False, False]


async def test_profiles_of_an_earlier_day_are_told(client: Client) -> None:
    async with client(store=Marked(STALE, DONE)) as api:
        profiles = (await api.get("/health/ready")).json()["profiles"]
    assert profiles["says"] == "complete, as of 2024-10-04; 1 of 2 partitions are being brought to this day"


async def test_a_kafka_that_is_away_stops_no_reads(client: Client) -> None:
    async with client(store=Marked(DONE), updates=Told(well=False)) as api:
        answer = await api.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["kafka"] == {"well": False, "says": "does not answer: nothing can be written now"}
