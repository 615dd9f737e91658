"""The key of people's hashes: a default for histories that are played, never for real people."""

import os
from pathlib import Path

import pytest

from engagement.errors import Refused
from streams.person_key import DEVELOPMENT_SECRET, PersonKey, person_key


def test_the_environment_variables_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQA_PERSON_SECRET", "mine")
    monkeypatch.setenv("MQA_PERSON_KEY_ID", "k7")
    assert person_key("wall") == person_key("played") == PersonKey(b"mine", "k7")


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
    assert person_key("played") == PersonKey(DEVELOPMENT_SECRET.encode(), "k1")


@pytest.mark.parametrize("secret", [None, ""])
def test_by_the_wall_a_missing_secret_is_refused_and_so_is_an_empty_one(monkeypatch: pytest.MonkeyPatch, secret: str | None) -> None:
    if secret is None:
        monkeypatch.delenv("MQA_PERSON_SECRET", raising=False)
    else:
        monkeypatch.setenv("MQA_PERSON_SECRET", secret)
    with pytest.raises(Refused, match="MQA_PERSON_SECRET is not set"):
        person_key("wall")


def rotate(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in {"MQA_PERSON_SECRET": "mine", "MQA_PERSON_KEY_ID": "k2", **settings}.items():
        monkeypatch.setenv(name, value)


def test_the_key_that_is_being_replaced_stands_beside_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rotate(monkeypatch, MQA_PERSON_SECRET_BEFORE="former", MQA_PERSON_KEY_ID_BEFORE="k1")
    assert person_key("wall") == PersonKey(b"mine", "k2", PersonKey(b"former", "k1"))


def test_where_both_are_empty_none_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    rotate(monkeypatch, MQA_PERSON_SECRET_BEFORE="", MQA_PERSON_KEY_ID_BEFORE="")
    assert person_key("wall").before is None


@pytest.mark.parametrize(("there", "missing"), [("SECRET", "KEY_ID"), ("KEY_ID", "SECRET")])
def test_half_of_a_key_that_is_being_replaced_is_refused(monkeypatch: pytest.MonkeyPatch, there: str, missing: str) -> None:
    rotate(monkeypatch, **{f"MQA_PERSON_{there}_BEFORE": "k1"})
    with pytest.raises(Refused, match=f"MQA_PERSON_{missing}_BEFORE is not set: .*; set both, or neither"):
        person_key("wall")


def test_a_key_that_replaces_one_of_its_own_id_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rotate(monkeypatch, MQA_PERSON_SECRET_BEFORE="former", MQA_PERSON_KEY_ID_BEFORE="k2")
    with pytest.raises(Refused, match="MQA_PERSON_KEY_ID_BEFORE: 'k2' is the new key's id too; name that one with MQA_PERSON_KEY_ID"):
        person_key("wall")


def test_an_odd_id_of_the_former_key_is_refused_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    rotate(monkeypatch, MQA_PERSON_SECRET_BEFORE="former", MQA_PERSON_KEY_ID_BEFORE="k.1")
    with pytest.raises(Refused, match=r"MQA_PERSON_KEY_ID_BEFORE: 'k.1' must be 1 to 16 letters"):
        person_key("wall")


def test_the_former_secret_is_no_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SECRET": "one", "KEY_ID": "k2", "SECRET_BEFORE": "one", "KEY_ID_BEFORE": "k1"}.items():
        monkeypatch.setenv(f"MQA_PERSON_{name}", value)
    with pytest.raises(Refused, match="MQA_PERSON_SECRET is the former one, of 'k1', under another id"):
        person_key("wall")


def test_a_key_says_its_name_and_never_its_secret():
    key = PersonKey(b"open sesame", "k2", PersonKey(b"sesame too", "k1"))
    assert repr(key) == "PersonKey(key_id='k2', before=PersonKey(key_id='k1', before=None))"
    assert "sesame" not in f"{key}"


def test_both_secrets_may_stand_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name, secret in (("MQA_PERSON_SECRET", "new"), ("MQA_PERSON_SECRET_BEFORE", "former")):
        (tmp_path / name).write_text(f"{secret}\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    monkeypatch.setenv("MQA_PERSON_KEY_ID", "k2")
    monkeypatch.setenv("MQA_PERSON_KEY_ID_BEFORE", "k1")
    assert person_key("wall") == PersonKey(b"new", "k2", PersonKey(b"former", "k1"))
