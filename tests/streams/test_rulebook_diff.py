"""``mqa rulebook diff`` and the warnings of ``mqa rulebook check``, as a person types them."""

import asyncio
from pathlib import Path

import pytest
from click import UsageError
from click.testing import CliRunner, Result

from engagement.rulebook import default_rulebook_text, load_rulebook
from streams.connection import Connection
from streams.genesis import create_environment
from streams.rulebooks import rulebook
from streams.topics import Environment


@pytest.fixture
def old(tmp_path: Path) -> str:
    file = tmp_path / "old.yaml"
    file.write_text(default_rulebook_text())
    return str(file)


@pytest.fixture
def new(tmp_path: Path) -> str:
    file = tmp_path / "new.yaml"
    file.write_text(default_rulebook_text().replace("/pricing*", "/plans*").replace("keep: {score: 60}", "keep: {score: 50}"))
    return str(file)


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(rulebook, arguments, standalone_mode=True, catch_exceptions=False)


DIFFERENCE = [
    "~ signals.pricing.urls: [/pricing*] -> [/plans*]",
    "~ stage.mqa.keep.score: 60 -> 50",
    "an activation would refuse: signals.pricing.urls differs from the active rulebook's, and page views were counted by those",
]


def test_two_files_that_differ_end_with_status_1_and_what_an_activation_would_refuse(old: str, new: str):
    differing = typed("diff", old, new)
    assert (differing.exit_code, differing.stdout.splitlines()) == (1, DIFFERENCE)


def test_a_file_and_itself_end_with_status_0_and_nothing_to_say(old: str):
    same = typed("diff", old, old)
    assert (same.exit_code, same.stdout) == (0, "")


def test_the_active_rulebook_of_an_environment_takes_the_place_of_old(kafka: Connection, prefix: str, old: str, new: str):
    first = load_rulebook(default_rulebook_text(), "default")
    asyncio.run(create_environment(kafka, Environment(prefix), partitions=1, rulebook=first))
    where = ["--prefix", prefix, "--bootstrap", kafka.bootstrap]
    assert typed("diff", new, *where).stdout.splitlines() == DIFFERENCE
    assert typed("diff", old, *where).exit_code == 0


@pytest.mark.parametrize("arguments", [[], ["one"], ["one", "two", "--prefix", "x-"], ["one", "two", "three"]])
def test_there_are_always_two_sides(arguments: list[str]):
    with pytest.raises(UsageError, match="name two files, OLD and NEW, or NEW alone and --prefix"):
        CliRunner().invoke(rulebook, ["diff", *arguments], standalone_mode=False, catch_exceptions=False)


def test_check_warns_and_ends_with_status_0_all_the_same(tmp_path: Path):
    file = tmp_path / "odd.yaml"
    file.write_text("signals: {page: {points: 1}}\nstage: {engaged: {enter: {act_now: 7d}}}\n")
    checked = typed("check", str(file))
    assert checked.exit_code == 0
    first, second = checked.stdout.splitlines()
    assert "version" in first
    reason = "stage.engaged.enter.act_now = 7d, but no kind of signal is act_now"
    assert second == f"warning: stage.engaged: nobody can earn it: {reason}"
