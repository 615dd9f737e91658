"""Somebody who does not answer: said once, and once more when it is over; tried again after growing pauses."""

import logging
from time import monotonic

log = logging.getLogger("mqa.projector")

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 10.0


class Outage:
    """What is known of whether ``who`` answers."""

    def __init__(self, who: str) -> None:
        """``who``: for the log, as a sentence begins with it."""
        self._who = who
        self._since: float | None = None
        self._pause = FIRST_PAUSE

    @property
    def seconds(self) -> float:
        """For how long it has not answered; 0 while it does."""
        return 0.0 if self._since is None else monotonic() - self._since

    def failed(self, error: BaseException) -> float:
        """It did not answer; returns how many seconds to wait before it is asked again."""
        if self._since is None:
            self._since, self._pause = monotonic(), FIRST_PAUSE
            log.warning("%s does not answer (%s): waiting for it", self._who, str(error) or repr(error))
        else:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        return self._pause

    def over(self) -> None:
        """It answered."""
        if self._since is not None:
            log.warning("%s answers again, after %.1f s", self._who, self.seconds)
            self._since = None
