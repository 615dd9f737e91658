"""``python -m streams`` is ``mqa``."""

from streams.cli import main

main()
