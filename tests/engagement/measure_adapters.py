"""What reading a foreign event costs: ``python -m tests.engagement.measure_adapters``. CPU time of one core."""

from time import process_time

from engagement.adapters.formats import adapted
from engagement.adapters.mapping import Format
from engagement.adapters.outcome import Taken
from tests.engagement.adapter_world import example, mapped

ROUNDS = 5_000
MAPPING = mapped("{segment: {events: {Guide Opened: download}}, snowplow: {events: {link_click: click}}}")
PAYLOADS = {
    "segment/spec-page.json": Format.SEGMENT,
    "segment/spec-track.json": Format.SEGMENT,
    "segment/spec-identify.json": Format.SEGMENT,
    "snowplow/micro-good-event.json": Format.SNOWPLOW,
}


def microseconds(value: bytes, written_in: Format) -> float:
    began = process_time()
    for _ in range(ROUNDS):
        (outcome,) = adapted(value, written_in, MAPPING)
        assert isinstance(outcome, Taken)
        for each in outcome.events:
            assert each.value
    return (process_time() - began) / ROUNDS * 1e6


if __name__ == "__main__":
    for name, written_in in PAYLOADS.items():
        print(f"{microseconds(example(name), written_in):6.1f} us  {name}")  # noqa: T201 - its output
