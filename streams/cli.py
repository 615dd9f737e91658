"""``mqa``: one command, each subcommand in the module that does its work (imported only when it is called)."""

import logging
import sys
from importlib import import_module

import click

from engagement.errors import Refused
from streams.output import telling_output

COMMANDS = {
    "worker": "streams.worker.command:worker",
    "topics": "streams.topics_command:topics",
    "broker": "streams.broker.command:broker",
    "simulate": "streams.history.simulate:simulate",
    "import": "streams.history.importing:import_",
    "play": "streams.history.play:play",
    "baseline": "streams.history.baseline:baseline",
    "go-live": "streams.going_live:go_live",
    "replay": "streams.history.replay:replay",
    "projector": "streams.profiles.command:projector",
    "explain": "streams.explain.command:explain",
    "resolve": "streams.resolve.command:resolve",
    "filtered": "streams.filtered:filtered",
    "dead-letters": "streams.dead_letters.command:dead_letters",
    "webhooks": "streams.webhooks.command:webhooks",
    "forget": "streams.forget.command:forget",
    "rulebook": "streams.rulebooks:rulebook",
    "serve": "streams.serve.command:serve",
    "schema": "streams.contracts.command:schema",
    "demo": "streams.demo:demo",
}

TRY_AGAIN = 70
"""Exit status, as of a worker that is to be started again."""


class LazyGroup(click.Group):
    """Imports a subcommand's module when it is asked for: `mqa --help` stays quick, and only `worker` imports Faust."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """None where there is no such command."""
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, name = target.split(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mqa")
def mqa() -> None:
    """Account-based engagement on Kafka: visits and intent in, tier changes out."""
    # Commands speak for themselves; a client that tries again is no news. A worker sets up its own log.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # A fenced producer leaves futures that nobody can ask; the fencing itself is told.
    logging.getLogger("asyncio").addFilter(lambda record: "exception was never retrieved" not in record.getMessage())


def main() -> None:
    """Console script. What a person must mend is one line and exit status 2, a broker that went away one and 70 (try again); Ctrl-C is 130.

    The rest is a defect, with a traceback.
    """
    try:
        with telling_output():
            status = mqa(prog_name="mqa", standalone_mode=False)  # click answers with the status of an early exit
    except Refused as refusal:
        click.echo(f"mqa: {refusal}", err=True)
        sys.exit(2)
    except click.exceptions.NoArgsIsHelpError as page:
        page.show()
        sys.exit(page.exit_code)
    except click.UsageError as error:
        command = "mqa" if error.ctx is None else error.ctx.command_path
        click.echo(f"mqa: {' '.join(error.format_message().split())} (see `{command} --help`)", err=True)
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Exception as error:
        if _is_forbidden(error):
            click.echo(
                f"mqa: Kafka does not allow this login what it needs ({error!r}); `mqa topics acls` says what each role does", err=True
            )
            sys.exit(2)
        if not _is_outage(error):
            raise
        click.echo(f"mqa: the broker went away meanwhile ({error!r}); when it is back, run this again", err=True)
        sys.exit(TRY_AGAIN)
    else:
        sys.exit(status if isinstance(status, int) else 0)


def _is_forbidden(error: Exception) -> bool:
    from aiokafka import errors  # noqa: PLC0415 - not every command needs it

    return isinstance(
        error,
        errors.TopicAuthorizationFailedError
        | errors.GroupAuthorizationFailedError
        | errors.ClusterAuthorizationFailedError
        | errors.TransactionalIdAuthorizationFailed,
    )


def _is_outage(error: Exception) -> bool:
    from aiokafka.errors import KafkaError, KafkaTimeoutError  # noqa: PLC0415 - not every command needs it

    return isinstance(error, TimeoutError | ConnectionError | KafkaTimeoutError) or (isinstance(error, KafkaError) and error.retriable)
