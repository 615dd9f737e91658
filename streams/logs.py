"""The log of a command that runs for long: how it is written, how much, and that a library does not drown it."""

import logging

import click

SELDOM_SECONDS = 10.0

log_level_option = click.option(
    "--log-level",
    default="INFO",
    show_default=True,
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    envvar="MQA_LOG_LEVEL",
)


def start_log(level: str) -> None:
    """Write to standard error from here on, from this level up."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def say_seldom(library: str) -> None:
    """Let a library be heard, but the same of it seldom; for the log as it was started."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(Seldom(library))


class Seldom(logging.Filter):
    """Lets a library say the same thing only once in `SELDOM_SECONDS`: while a broker is away it says it thousands of times a second."""

    def __init__(self, library: str) -> None:
        super().__init__()
        self._library = logging.Filter(library)
        self._said: dict[tuple[str, str], float] = {}  # logger and message, without what is filled in -> when

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it may be said."""
        what = (record.name, str(record.msg))
        if not self._library.filter(record):
            return True
        if record.created - self._said.get(what, float("-inf")) < SELDOM_SECONDS:
            return False
        self._said[what] = record.created
        return True
