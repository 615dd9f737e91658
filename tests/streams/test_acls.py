"""What each role is allowed in Kafka, and how it is said."""

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engagement.errors import Refused
from streams.acls import ROLES, Right, rights
from streams.cli import mqa
from streams.topics import CHANGELOGS, INPUTS, LOG, RULEBOOKS, TOPICS, Environment

ABM = Environment("abm-")


def given(role: str, environment: Environment = ABM) -> list[Right]:
    return rights(role, environment, "crm" if role == "subscriber" else None)


def writers(short: str) -> set[str]:
    return {role for role in ROLES for right in given(role) if right.name == ABM.topic(short) and "Write" in right.operations}


def acls(*arguments: str) -> Result:
    return CliRunner().invoke(mqa, ["topics", "acls", *arguments], env={"KAFKA_BOOTSTRAP": None, "MQA_PREFIX": None})


def test_tier_changes_are_the_worker_s_alone_to_write():
    assert writers("tier-changes") == {"worker"}


def test_the_log_and_all_state_are_the_worker_s_to_write_and_the_operator_s():
    assert {frozenset(writers(short)) for short in (LOG, RULEBOOKS, *CHANGELOGS.values())} == {frozenset({"worker", "operator"})}


def test_the_api_writes_updates_and_nothing_else():
    assert {short for short in (each.short for each in TOPICS) if "serve" in writers(short)} == {"account-updates"}


def test_who_looks_or_tells_writes_nothing_of_the_environment():
    assert not {"projector", "subscriber"} & {role for each in TOPICS for role in writers(each.short)}


def test_the_sender_of_webhooks_writes_what_it_parks_and_nothing_else():
    assert {each.short for each in TOPICS if "webhooks" in writers(each.short)} == {"webhooks-parked"}


def test_people_in_clear_are_read_by_who_needs_their_names():
    clear = {ABM.topic(short) for short in (*INPUTS, "contacts", "dead-letters")}
    readers = {role for role in ROLES for right in given(role) if right.name in clear and "Read" in right.operations}
    assert readers == {"worker", "projector", "serve", "operator"}


@pytest.mark.parametrize("role", ROLES)
def test_nobody_may_delete_a_topic_nor_anything_in_the_whole_cluster(role: str):
    for right in given(role):
        assert right.resource in {"topic", "group", "transactional-id"}
        assert "Delete" not in right.operations


@pytest.mark.parametrize("role", ROLES)
def test_no_right_holds_in_an_environment_whose_prefix_begins_alike(role: str):
    other = Environment("abm-emea-")
    names = {right.name for right in given(role, other) if right.name != "crm"}
    for right in given(role):
        assert right.name not in names
        assert not (right.is_prefix and any(name.startswith(right.name) for name in names))


def test_the_commands_are_for_a_shell():
    done = acls(
        "subscriber", "--principal", "User:CN=crm, O=Example", "--group", "crm", "--prefix", "abm-", "--command-config", "my.properties"
    )
    first, second = map(shlex.split, done.output.splitlines())
    begin = ["kafka-acls.sh", "--bootstrap-server", "localhost:9092", "--command-config", "my.properties", "--add"]
    begin += ["--allow-principal", "User:CN=crm, O=Example"]
    assert first == [*begin, "--operation", "Read", "--topic", "abm-tier-changes"]
    assert second == [*begin, "--operation", "Read", "--group", "crm"]


def test_a_unit_s_transactional_ids_are_said_by_what_they_begin_with():
    done = acls("worker", "--principal", "User:mqa-worker", "--prefix", "abm-")
    (line,) = (line for line in done.output.splitlines() if "prefixed" in line)
    assert line.endswith(
        "--resource-pattern-type prefixed --operation Write --transactional-id abm-mqa-intake- --transactional-id abm-mqa-qualify-"
    )


def test_for_programs_each_acl_is_an_object():
    done = acls("producer", "--principal", "User:web", "--json")
    assert [json.loads(line) for line in done.output.splitlines()] == [
        {
            "principal": "User:web",
            "host": "*",
            "resource_type": "topic",
            "resource_name": short,
            "pattern_type": "literal",
            "operation": "Write",
            "permission": "Allow",
        }
        for short in INPUTS
    ]


@pytest.mark.parametrize("principal", ["", "mqa", "User:", "User:a\nb", ":a"])
def test_what_is_no_principal_is_refused_with_one_that_is(principal: str):
    done = acls("worker", "--principal", principal)
    assert isinstance(done.exception, Refused)
    assert str(done.exception).startswith("--principal: ")
    assert "User:mqa-worker" in str(done.exception)


def test_a_subscriber_needs_a_group_and_nobody_else_has_one_to_choose():
    with pytest.raises(Refused, match="--group"):
        rights("subscriber", ABM)
    with pytest.raises(Refused, match="--group"):
        rights("worker", ABM, "crm")


def test_the_help_names_every_role():
    shown = acls("--help").output
    assert all(f"{name}:" in shown for name in ROLES)


def test_the_documentation_names_every_role():
    text = (Path(__file__).parents[2] / "docs/security.md").read_text()
    assert re.findall(r"^\| `(\w+)` \| ", text, re.MULTILINE)[-len(ROLES) :] == list(ROLES)
