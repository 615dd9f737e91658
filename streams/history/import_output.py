"""What the imports have in common on the command line: where the history goes, and the account of what did not go into it."""

from collections import Counter
from pathlib import Path

import click

from streams.history.lines import STANDARD_STREAM

output_option = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default=STANDARD_STREAM,
    show_default=True,
    help="File to write (.jsonl, or .jsonl.gz); - for standard output.",
)


def not_taken(raw: int, left_out: Counter[str]) -> str:
    """Account for what became no event, and why."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
    return f"{raw} unreadable (kept for the dead letters) + {left_out.total()} left out{f' ({reasons})' if reasons else ''}"
