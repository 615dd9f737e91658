"""Where a local broker keeps what it needs: the user's cache folder, never this repository."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/mqa``, or ``~/.cache/mqa``; the folder may not exist yet."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "mqa"
