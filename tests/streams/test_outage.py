"""A command whose broker goes away while it works says so in one line."""

import sys

import click
import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from streams import cli


def run_one_that_ends_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """`mqa demo`, but for what it does."""

    @click.command
    def command() -> None:
        raise error

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: command)
    monkeypatch.setattr(sys, "argv", ["mqa", "demo"])
    cli.main()


@pytest.mark.parametrize("error", [KafkaTimeoutError(), KafkaConnectionError("reset"), TimeoutError(), ConnectionRefusedError()])
def test_an_outage_is_one_line_and_a_status_that_says_try_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_one_that_ends_with(error, monkeypatch)
    assert ended.value.code == 70
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert type(error).__name__ in said
    assert "run this again" in said


def test_what_is_no_outage_is_a_defect_with_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KafkaError, match="no outage"):
        run_one_that_ends_with(KafkaError("no outage"), monkeypatch)
