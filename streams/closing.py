"""Closing a client of the broker: bounded in time, and never taken for a cancellation of our own."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("mqa.connection")

CLOSE_SECONDS = 5.0


async def close_client(closing: Coroutine[Any, Any, None]) -> None:
    """Return when a client is closed, or after `CLOSE_SECONDS`; how it went is only logged, as the client is going away either way.

    In a task of its own: a consumer that is stopped within 100 ms of a failed fetch raises the CancelledError of a task that it has
    cancelled itself (A:consumer/fetcher.py:455 and 742). To whoever awaits it that looks like being cancelled, and Faust's recovery would
    end without a word, and with it every later rebalance of a worker that looks alive.
    """
    task = asyncio.create_task(closing)
    await asyncio.wait([task], timeout=CLOSE_SECONDS)
    if not task.done():
        log.warning("a client of the broker was not closed within %g s", CLOSE_SECONDS)
    elif not task.cancelled() and task.exception() is not None:
        log.info("a client of the broker was closed with %r", task.exception())
