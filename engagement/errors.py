"""Errors that a person can act on."""


class Refused(Exception):  # noqa: N818 - it reads as what happened
    """Something cannot go on and a person must decide.

    The message is one line that names the value, the place and the remedy; the command line prints it
    without a traceback and exits with status 2.
    """
