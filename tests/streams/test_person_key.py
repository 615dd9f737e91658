"""The key of people's hashes: a default for histories that are played, never for real people."""

import pytest

from engagement.errors import Refused
from streams.person_key import DEVELOPMENT_SECRET, person_key


def test_the_environment_variables_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQA_PERSON_SECRET", "mine")
    monkeypatch.setenv("MQA_PERSON_KEY_ID", "k7")
    assert person_key("wall") == person_key("played") == (b"mine", "k7")


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
