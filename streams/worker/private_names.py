"""Names inside Faust, mode and aiokafka that are not public and that this worker leans on.

Their versions are pinned exactly; an environment with other ones stops here, with a message, instead of losing events later.
"""

from importlib.metadata import version

from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import TopicPartitionState
from faust.transport import drivers
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from engagement.errors import Refused

PINNED = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}

NAMES: tuple[tuple[object, tuple[str, ...]], ...] = (
    (AIOKafkaConsumerThread, ("_create_worker_consumer", "_fetch_records", "call_thread")),
    (Consumer, ("perform_seek", "_getmany")),
    (AIOKafkaClient, ("send",)),
    (GroupCoordinator, ("_maybe_leave_group",)),
    (TopicPartitionState, ("position", "has_valid_position")),
    (drivers.TRANSPORTS, ("aliases",)),
)


def check_private_names() -> None:
    """Raise `Refused` naming what is missing."""
    for package, pinned in PINNED.items():
        if version(package) != pinned:
            msg = f"{package} {version(package)} is installed, but this worker leans on the inside of {pinned}; install {package}=={pinned}"
            raise Refused(msg)
    for owner, names in NAMES:
        for name in names:
            if not hasattr(owner, name):
                msg = f"{owner!r} has no {name!r}: another build of Faust or aiokafka is installed; install the pinned versions anew"
                raise Refused(msg)
