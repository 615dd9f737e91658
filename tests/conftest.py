"""Fixtures that several kinds of test share."""

import gc
import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from streams.broker.embedded import Embedded
from streams.broker.kafka import Kafka
from streams.broker.local import LocalBroker
from streams.connection import Connection
from tests.needs import fetch_kafka, need
from tests.redis_servers import redis_server


@pytest.fixture(scope="session")
def kafka() -> Iterator[Connection]:
    """A real Kafka: the one `KAFKA_BOOTSTRAP` names, else one of this run's own."""
    if os.environ.get("KAFKA_BOOTSTRAP"):
        yield Connection.find()
        return
    need("Kafka", fetch_kafka)
    with LocalBroker(Kafka()) as broker:
        yield broker.connection


@pytest.fixture(scope="session")
def embedded() -> Iterator[Connection]:
    """The embedded broker, of this run's own."""
    need("the embedded broker", Embedded().check)
    with LocalBroker(Embedded()) as broker:
        yield broker.connection


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis: the one `REDIS_URL` names, else one of this run's own, which keeps nothing. Use keys of your own (`prefix`)."""
    if os.environ.get("REDIS_URL"):
        yield os.environ["REDIS_URL"]
        return
    with redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def prefix() -> str:
    """An environment of the test's own."""
    return f"test-{uuid4().hex[:12]}-"


@pytest.fixture
def fenced_producers() -> Iterator[None]:
    """A fenced producer leaves futures that nobody asks. They complain when they are collected: now, and not in another test."""
    yield
    gc.collect()
