"""``mqa topics acls``."""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import click
import msgspec

from engagement.errors import Refused
from engagement.written import shown
from streams.acls import ROLES, Right, rights
from streams.topics import Environment


@click.command(epilog="Roles: " + "; ".join(f"{name}: {role.purpose}" for name, role in ROLES.items()) + ".")
@click.argument("role", type=click.Choice(list(ROLES)))
@click.option("--principal", required=True, metavar="PRINCIPAL", help="Whose rights, like User:mqa-worker, or User:CN=mqa-worker.")
@click.option("--prefix", default="", envvar="MQA_PREFIX", metavar="PREFIX", help="The environment.")
@click.option("--group", metavar="NAME", help="A subscriber's consumer group.")
@click.option("--bootstrap", envvar="KAFKA_BOOTSTRAP", default="localhost:9092", show_default=True, metavar="HOST:PORT", help="Kafka.")
@click.option("--command-config", metavar="FILE", help="Properties with which kafka-acls.sh proves who it is.")
@click.option("--json", "is_json", is_flag=True, help="For programs: one JSON object a line, each an ACL.")
def acls(role: str, *, principal: str, prefix: str, group: str | None, bootstrap: str, command_config: str | None, is_json: bool) -> None:
    """Say what ROLE needs to be allowed in Kafka, as commands for kafka-acls.sh.

    It is the least with which the role works. Nothing is changed: the commands are for whoever administers Kafka to look at and to run,
    once or again.
    """
    if not re.fullmatch(r"[A-Za-z]+:[^\x00-\x1f\x7f]+", principal):
        msg = f"--principal: {shown(principal)!r} is no principal; write it like User:mqa-{role}"
        raise Refused(msg)
    wanted = rights(role, Environment(prefix), group)
    if is_json:
        for each in _acls(wanted, principal):
            click.echo(msgspec.json.encode(each))
        return
    program = ["kafka-acls.sh", "--bootstrap-server", bootstrap]
    program += [] if command_config is None else ["--command-config", command_config]
    for arguments in commands(wanted, principal):
        click.echo(shlex.join([*program, *arguments]))


def commands(wanted: Sequence[Right], principal: str) -> Iterator[list[str]]:
    """Arguments of kafka-acls.sh; it grants every operation of a command on every resource of it."""
    alike: dict[tuple[object, ...], list[Right]] = {}
    for right in wanted:
        alike.setdefault((right.resource, right.operations, right.is_prefix), []).append(right)
    for some in alike.values():
        arguments = ["--add", "--allow-principal", principal]
        arguments += ["--resource-pattern-type", "prefixed"] if some[0].is_prefix else []
        for operation in some[0].operations:
            arguments += ["--operation", operation]
        for right in some:
            arguments += [f"--{right.resource}", right.name]
        yield arguments


def _acls(wanted: Sequence[Right], principal: str) -> Iterator[dict[str, Any]]:
    for right in wanted:
        for operation in right.operations:
            yield {
                "principal": principal,
                "host": "*",
                "resource_type": right.resource,
                "resource_name": right.name,
                "pattern_type": "prefixed" if right.is_prefix else "literal",
                "operation": operation,
                "permission": "Allow",
            }
