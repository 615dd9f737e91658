"""While a broker is away, a worker's log stays readable."""

import logging

import pytest

from streams.logs import SELDOM_SECONDS, Seldom


def said(logger: str, message: str, at: float, *fields: object) -> logging.LogRecord:
    record = logging.LogRecord(logger, logging.ERROR, __file__, 1, message, fields, None)
    record.created = at
    return record


@pytest.fixture
def seldom() -> Seldom:
    return Seldom("aiokafka")


def test_what_the_client_repeats_is_said_once_in_a_while_whatever_is_filled_in(seldom: Seldom) -> None:
    assert seldom.filter(said("aiokafka", "no node %s", 0.0, 1))
    assert not seldom.filter(said("aiokafka", "no node %s", SELDOM_SECONDS - 1, 2))
    assert seldom.filter(said("aiokafka", "no node %s", SELDOM_SECONDS, 3))


def test_another_message_and_another_part_of_the_client_are_said_at_once(seldom: Seldom) -> None:
    assert seldom.filter(said("aiokafka", "no node %s", 0.0, 1))
    assert seldom.filter(said("aiokafka", "no metadata", 0.1))
    assert seldom.filter(said("aiokafka.producer", "no node %s", 0.2, 1))


def test_what_the_worker_says_is_never_held_back(seldom: Seldom) -> None:
    assert all(seldom.filter(said("mqa.worker", "fenced", at)) for at in (0.0, 0.1, 0.2))
