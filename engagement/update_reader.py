"""What an account update says, as the log has it: people as hashes, events as what they were counted as. Raises `Dead` for the unusable."""

from datetime import date
from typing import cast

from engagement import records
from engagement.days import EARLIEST, LATEST, day_of, iso_day, parse_day, to_ms
from engagement.decoding import Dead
from engagement.events import AccountUpdate, Contact, Event, Pin, RetractedEvent, Retraction
from engagement.identity import Identity, is_person, normalize_email
from engagement.pages import Pages
from engagement.records import Said
from engagement.rulebook import Rulebook

_ENVELOPE = frozenset(Event.model_fields) | {"account"}


def read_address(path: str, said: str, identity: Identity) -> str:
    """Normalize an e-mail address. Raises `Dead` (``invalid``) for what is none."""
    email = normalize_email(said, identity.host)
    if email is None:
        raise Dead("invalid", f"{path} = {said!r}: Input should be an e-mail address")
    return email


class UpdateReader:
    """By one rulebook."""

    def __init__(self, rulebook: Rulebook, identity: Identity, pages: Pages) -> None:
        self._kinds = frozenset(rulebook.signals)
        self._rungs = {ladder.name: ladder.names for ladder in rulebook.ladders}
        self._identity, self._pages = identity, pages

    def read(self, update: AccountUpdate) -> Said:
        """Only what was said. Raises `Dead` (``invalid``)."""
        fields = update.model_dump(include=update.model_fields_set - _ENVELOPE, exclude_unset=True)
        was: dict[str, str] = {}
        if update.contacts is not None:
            fields["contacts"] = self._committee(update.contacts, was)
        if update.pin is not None:
            fields["pin"] = self._pin(update.pin)
        if update.retract is not None:
            fields["retract"] = self._retraction(update.retract, was)
        if was:
            fields["was"] = was
        return cast("Said", fields)

    def _committee(self, contacts: list[Contact], was: dict[str, str]) -> dict[str, str | None]:
        """Person hash -> role; of a person named twice the last counts."""
        return {self._person(f"contacts.{n}.email", contact.email, was): contact.role for n, contact in enumerate(contacts)}

    def _pin(self, pin: Pin) -> records.Pin:
        rungs = self._rungs.get(pin.ladder)
        if rungs is None:
            raise Dead("invalid", f"pin.ladder = {pin.ladder!r}: Input should be a ladder of the rulebook")
        if pin.rung is not None and pin.rung not in rungs:
            raise Dead("invalid", f"pin.rung = {pin.rung!r}: Input should be a rung of the ladder {pin.ladder}")
        until = None if pin.until is None else _checked_day("pin.until", pin.until, parse_day(pin.until.isoformat()))
        return {"ladder": pin.ladder, "rung": pin.rung, "reason": pin.reason, "author": pin.author, "until": until}

    def _retraction(self, said: Retraction, was: dict[str, str]) -> records.Retraction:
        return {
            "person": None if said.person is None else self._known("retract.person", said.person, was),
            "events": [self._retracted(f"retract.events.{n}", event, was) for n, event in enumerate(said.events)],
            "reason": said.reason,
            "author": said.author,
        }

    def _retracted(self, path: str, event: RetractedEvent, was: dict[str, str]) -> records.RetractedEvent:
        """Say of an event what it was counted as."""
        kind = event.kind if event.url is None else self._pages.look_up(event.url).kind
        if kind is None or kind not in self._kinds:
            raise Dead("invalid", f"{path}.kind = {kind!r}: Input should be a kind of the rulebook, or url an address of one")
        return {
            "id": event.id,
            "kind": kind,
            "day": _checked_day(f"{path}.occurred_at", event.occurred_at, day_of(to_ms(event.occurred_at))),
            "person": None if event.email is None else self._known(f"{path}.email", event.email, was),
            "topic": event.topic,
            "seconds": event.seconds,
        }

    def _known(self, path: str, said: str, was: dict[str, str]) -> str:
        """Give the hash of a person who is named by an address, or by the hash itself, under whichever key."""
        if "@" in said:
            return self._person(path, said, was)
        if not is_person(said):
            raise Dead("invalid", f"{path} = {said!r}: Input should be an e-mail address, or a hash such as k1.9f86d081884c7d65")
        return said

    def _person(self, path: str, said: str, was: dict[str, str]) -> str:
        """Hash an address; ``was`` takes the hash under the key that is being replaced."""
        email = read_address(path, said, self._identity)
        person, before = self._identity.person(email), self._identity.was(email)
        if before is not None:
            was[person] = before
        return person


def _checked_day(path: str, said: date, day: int) -> int:
    """Raise `Dead` for a UTC day that the log does not take; it may be one that no calendar has, so ``said`` is what is told of it."""
    if not day_of(EARLIEST) <= day < day_of(LATEST):
        first, last = iso_day(day_of(EARLIEST)), iso_day(day_of(LATEST) - 1)
        raise Dead("invalid", f"{path} = {said.isoformat()}: Input should be a day from {first} to {last}")
    return day
