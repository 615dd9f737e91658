"""Something that is away: said once, and once more when it is over; tried again after growing pauses."""

import logging
from time import monotonic

log = logging.getLogger("mqa.projector")

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 10.0


class Outage:
    """What is known of whether somebody answers, or something is there."""

    def __init__(self, away: str, back: str) -> None:
        """For the log: what is said when it begins, and when it is over."""
        self._away, self._back = away, back
        self._since: float | None = None
        self._pause = FIRST_PAUSE

    @property
    def seconds(self) -> float:
        """For how long it has been away; 0 while it is not."""
        return 0.0 if self._since is None else monotonic() - self._since

    def failed(self, error: BaseException) -> float:
        """It was not there; returns how many seconds to wait before it is asked again."""
        if self._since is None:
            self._since, self._pause = monotonic(), FIRST_PAUSE
            log.warning("%s (%s): waiting for it", self._away, str(error) or repr(error))
        else:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        return self._pause

    def over(self) -> None:
        """It is there."""
        if self._since is not None:
            log.warning("%s, after %.1f s", self._back, self.seconds)
            self._since = None
