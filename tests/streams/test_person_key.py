"""The key of people's hashes: a default for histories that are played, never for real people."""

import os

import pytest

from engagement.errors import Refused
from streams.person_key import DEVELOPMENT_SECRET, person_key


def test_the_environment_variables_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQA_PERSON_SECRET", "mine")
    monkeypatch.setenv("MQA_PERSON_KEY_ID", "k7")
    assert person_key("wall") == person_key("played") == (b"mine", "k7")


def test_a_secret_is_any_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"MQA_PERSON_SECRET", b"m\xffne\xc3")
    assert person_key("wall").secret == b"m\xffne\xc3"


@pytest.mark.parametrize("key_id", ["k\n1", "k1\n", " ", "k 1", "k\N{LATIN SMALL LETTER E WITH ACUTE}", "k.1", "k" * 17, "k\udcff"])
def test_an_id_that_would_be_odd_in_every_hash_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, key_id: str) -> None:
    monkeypatch.setenv("MQA_PERSON_KEY_ID", key_id)
    with pytest.raises(Refused, match=r"MQA_PERSON_KEY_ID: .* must be 1 to 16 letters, digits, '_' and '-'") as refusal:
        person_key("played")
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("key_id", ["k", "2025-01_key-A", "k" * 16])
def test_an_id_of_letters_digits_and_dashes_is_taken(monkeypatch: pytest.MonkeyPatch, key_id: str) -> None:
    monkeypatch.setenv("MQA_PERSON_KEY_ID", key_id)
    assert person_key("played").key_id == key_id


def test_a_played_history_needs_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MQA_PERSON_SECRET", raising=False)
    monkeypatch.delenv("MQA_PERSON_KEY_ID", raising=False)
    assert person_key("played") == (DEVELOPMENT_SECRET.encode(), "k1")


@pytest.mark.parametrize("secret", [None, ""])
def test_by_the_wall_a_missing_secret_is_refused_and_so_is_an_empty_one(monkeypatch: pytest.MonkeyPatch, secret: str | None) -> None:
    if secret is None:
        monkeypatch.delenv("MQA_PERSON_SECRET", raising=False)
    else:
        monkeypatch.setenv("MQA_PERSON_SECRET", secret)
    with pytest.raises(Refused, match="MQA_PERSON_SECRET is not set"):
        person_key("wall")
