"""By which clock an environment runs now.

Its genesis says how it was made. One whose clock was played may have been switched to the wall's, once: the `GoLive` record that did it
stands in every partition of the log, and in ``rulebooks``, where it is found without reading the log.
"""

from engagement.records import Genesis
from streams.configuration import read_configuration
from streams.connection import Connection
from streams.topics import Clock, Environment


async def clock_of(connection: Connection, environment: Environment, genesis: Genesis) -> Clock:
    """By the wall from the beginning or since `mqa go-live`; else played."""
    if genesis.clock == "wall":
        return "wall"
    return "wall" if (await read_configuration(connection, environment)).is_live else "played"
