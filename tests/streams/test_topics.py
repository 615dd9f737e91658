"""What every topic of an environment is called, and how it is set."""

import pytest

from engagement.errors import Refused
from streams.topics import CHANGELOGS, INPUTS, TOPICS, Environment, TopicSettings

SETTINGS = {each.short: each for each in TOPICS}


def test_every_name_of_an_environment_derives_from_its_prefix() -> None:
    environment = Environment("demo-")
    assert environment.topic("account-log") == "demo-account-log"
    assert environment.short("demo-account-log") == "account-log"
    assert environment.group == "demo-mqa"
    assert environment.transactional_id("qualify", 3) == "demo-mqa-qualify-3"


def test_a_topic_of_another_environment_has_no_short_name() -> None:
    with pytest.raises(ValueError, match="test-account-log"):
        Environment("demo-").short("test-account-log")


@pytest.mark.parametrize("prefix", ["", "demo-", "eu.prod.", "a_", "-"])
def test_a_prefix_is_empty_or_ends_in_a_separator(prefix: str) -> None:
    assert Environment(prefix).topic("rulebooks") == f"{prefix}rulebooks"


@pytest.mark.parametrize("prefix", ["demo", "dé-", "a b-", "demo/", "x" * 150 + "-", "demo-\n"])
def test_another_prefix_is_refused_with_one_that_works(prefix: str) -> None:
    with pytest.raises(Refused, match="try 'demo-'"):
        Environment(prefix)


@pytest.mark.parametrize("short", INPUTS)
def test_live_inputs_carry_the_brokers_time_and_played_ones_their_own(short: str) -> None:
    assert SETTINGS[short].configs("wall", 1)["message.timestamp.type"] == "LogAppendTime"
    assert SETTINGS[short].configs("played", 1)["message.timestamp.type"] == "CreateTime"


@pytest.mark.parametrize("each", TOPICS, ids=lambda each: each.short)
def test_a_played_environment_takes_any_time_and_forgets_nothing(each: TopicSettings) -> None:
    configs = each.configs("played", 1)
    assert configs.get("retention.ms", "-1") == "-1"
    assert int(configs["message.timestamp.after.max.ms"]) == int(configs["message.timestamp.before.max.ms"]) == 2**63 - 1


def test_state_and_rulebooks_are_compacted_and_nothing_else() -> None:
    compacted = {each.short for each in TOPICS if each.configs("wall", 1)["cleanup.policy"] == "compact"}
    assert compacted == {*CHANGELOGS.values(), "rulebooks", "contacts"}


def test_the_log_is_kept_for_ever() -> None:
    configs = SETTINGS["account-log"].configs("wall", 1)
    assert (configs["cleanup.policy"], configs["retention.ms"], configs["retention.bytes"]) == ("delete", "-1", "-1")


def test_three_replicas_stay_writable_with_one_down_and_safe_with_two() -> None:
    assert {each.configs("wall", 3)["min.insync.replicas"] for each in TOPICS} == {"2"}
    assert {each.configs("wall", 1)["min.insync.replicas"] for each in TOPICS} == {"1"}
    assert {each.configs("wall", 3)["unclean.leader.election.enable"] for each in TOPICS} == {"false"}
