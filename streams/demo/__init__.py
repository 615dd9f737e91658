"""``make demo``: three months in a minute, with a story to follow and a worker that is killed on the way."""

from streams.demo.command import demo

__all__ = ["demo"]
