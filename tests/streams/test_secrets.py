"""Secrets come from the environment or from a file, and are said nowhere."""

import os
from pathlib import Path

import pytest

from engagement.errors import Refused
from streams.secrets import read_secret

NAME = "MQA_SECRET_OF_A_TEST"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    monkeypatch.delenv(f"{NAME}_FILE", raising=False)


def in_file(monkeypatch: pytest.MonkeyPatch, folder: Path, content: bytes) -> Path:
    path = folder / "secret"
    path.write_bytes(content)
    monkeypatch.setenv(f"{NAME}_FILE", str(path))
    return path


def test_what_is_not_set_or_empty_is_none(monkeypatch: pytest.MonkeyPatch):
    assert read_secret(NAME) is None
    monkeypatch.setenv(NAME, "")
    monkeypatch.setenv(f"{NAME}_FILE", "")
    assert read_secret(NAME) is None


def test_a_variable_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(NAME, " open sesame \n")
    assert read_secret(NAME) == " open sesame \n"


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_file_may_end_its_line(end: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    in_file(monkeypatch, tmp_path, b" open sesame " + end)
    assert read_secret(NAME) == " open sesame "


def test_only_one_line_end_is_taken_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    in_file(monkeypatch, tmp_path, b"open\nsesame\n\n")
    assert read_secret(NAME) == "open\nsesame\n"


def test_bytes_that_are_no_text_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    in_file(monkeypatch, tmp_path, bytes(range(1, 256)))
    secret = read_secret(NAME)
    assert secret is not None
    assert os.fsencode(secret) == bytes(range(1, 256))


def test_a_variable_and_a_file_at_once_are_refused_without_the_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    in_file(monkeypatch, tmp_path, b"open sesame")
    monkeypatch.setenv(NAME, "sesame too")
    with pytest.raises(Refused, match=f"{NAME} and {NAME}_FILE are both set") as refusal:
        read_secret(NAME)
    assert "sesame" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n"])
def test_an_empty_file_is_refused_by_its_name(content: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    path = in_file(monkeypatch, tmp_path, content)
    with pytest.raises(Refused, match=f"{NAME}_FILE: '{path}' is empty"):
        read_secret(NAME)


@pytest.mark.parametrize("name", ["none", "."])
def test_a_file_that_cannot_be_read_is_refused_by_its_name(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / name))
    with pytest.raises(Refused, match=f"{NAME}_FILE: .*cannot be read"):
        read_secret(NAME)
