"""What becomes of one decoded event, judged by itself: counted for an account, filtered, or dead.

Nothing here depends on any other event; duplicates are `Intake`'s to find.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, cast

from engagement import records
from engagement.days import EARLIEST, LATEST, day_of, iso_day, parse_day, to_ms
from engagement.decoding import Dead, Decoded
from engagement.events import AccountUpdate, Contact, Event, Family, IntentSignal, Pin, RetractedEvent, Retraction, WebVisit
from engagement.identity import Identity, normalize_email
from engagement.pages import DEFAULT_KIND, Pages
from engagement.records import Read, Said, Signal, Source, Update
from engagement.rulebook import Rulebook

_REMEMBERED_HOSTS = 32_768
_ENVELOPE = frozenset(Event.model_fields) | {"account"}


class Verdict(NamedTuple):
    """The fate of an event that is not dead; one that is counted also has its account and what goes into its log."""

    fate: str  # "counted" or "filtered:<reason>"
    account: str | None = None
    entry: Signal | Update | None = None


class Circumstances(NamedTuple):
    """What is known of an event beside what it says. Instants in milliseconds."""

    occurred_at: int
    received_at: int
    source: Source
    read: Read | None  # as in the log's records


class _Filtered(Exception):  # noqa: N818 - it reads as what the event is
    """Ends the judging of an event that moves no account."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _checked_day(path: str, day: int) -> int:
    """Raise `Dead` for a day that the log does not take."""
    if not day_of(EARLIEST) <= day < day_of(LATEST):
        first, last = iso_day(day_of(EARLIEST)), iso_day(day_of(LATEST) - 1)
        raise Dead("invalid", f"{path} = {iso_day(day)}: Input should be a day from {first} to {last}")
    return day


class Judge:
    """The rules of one rulebook about single events."""

    def __init__(self, rulebook: Rulebook, identity: Identity) -> None:
        self._identity = identity
        self._kinds = frozenset(rulebook.signals)
        self._min_scores = {kind: rule.min_score for kind, rule in rulebook.signals.items()}
        self._rungs = {ladder.name: ladder.names for ladder in rulebook.ladders}
        self._pages = Pages({kind: rule.urls for kind, rule in rulebook.signals.items()}, rulebook.ignore_urls)
        self._horizon = rulebook.intake.horizon
        self._skew = rulebook.intake.skew
        self._version = rulebook.version
        self._free_mail = identity.free_mail.union(filter(None, map(identity.host, rulebook.intake.free_mail)))
        self._own_domains = frozenset(map(identity.registrable, rulebook.intake.own_domains)) - {None}
        self._resolved = lru_cache(_REMEMBERED_HOSTS)(self._resolve)
        self._by_family: dict[Family, Callable[[Any, Circumstances], Verdict]] = {
            Family.WEB_VISITS: self._visit,
            Family.INTENT_SIGNALS: self._intent,
            Family.ACCOUNT_UPDATES: self._update,
        }

    def judge(self, family: Family, decoded: Decoded, received_at: int, source: Source, read: Read | None = None) -> Verdict:
        """Settle an event's fate. ``received_at`` in milliseconds.

        Raises `Dead` (``future``, ``late``, ``unknown_kind``, ``invalid``).
        """
        circumstances = Circumstances(decoded.occurred_at, received_at, source, read)
        self._check_time(circumstances)
        try:
            return self._by_family[family](decoded.event, circumstances)
        except _Filtered as filtered:
            return Verdict(f"filtered:{filtered.reason}")

    def _check_time(self, circumstances: Circumstances) -> None:
        occurred_at, received_at = circumstances.occurred_at, circumstances.received_at
        if occurred_at > received_at + self._skew:
            raise Dead("future", f"occurred_at is {occurred_at - received_at} ms after receipt; intake.skew allows {self._skew} ms")
        days = day_of(received_at) - day_of(occurred_at)
        if days > self._horizon:
            raise Dead("late", f"occurred_at is {days} days before receipt; intake.horizon allows {self._horizon} days")

    def _visit(self, visit: WebVisit, circumstances: Circumstances) -> Verdict:
        email = None if visit.email is None else self._address("email", visit.email)
        if visit.type == "identify":
            raise _Filtered("identify")  # says who a visitor is; moves no account by itself
        if visit.user_agent is not None and self._identity.is_robot(visit.user_agent):
            raise _Filtered("robot")
        page = self._pages.look_up(visit.url or "")
        if page.filtered is not None:
            raise _Filtered(page.filtered)
        if page.kind is None:
            raise Dead(
                "unknown_kind", f"url = {visit.url!r}: no kind of the rulebook has it in its urls, and there is no kind {DEFAULT_KIND!r}"
            )
        return self._signal(visit, page.kind, email, circumstances)

    def _intent(self, signal: IntentSignal, circumstances: Circumstances) -> Verdict:
        email = None if signal.email is None else self._address("email", signal.email)
        if signal.kind not in self._kinds:
            raise Dead("unknown_kind", f"kind = {signal.kind!r}: the rulebook's signals have no such kind")
        if signal.score is not None and signal.score < self._min_scores[signal.kind]:
            raise _Filtered("below_min_score")
        return self._signal(signal, signal.kind, email, circumstances, topic=signal.topic, score=signal.score)

    def _signal(
        self,
        event: WebVisit | IntentSignal,
        kind: str,
        email: str | None,
        circumstances: Circumstances,
        *,
        topic: str | None = None,
        score: int | None = None,
    ) -> Verdict:
        account = self._account(event.account, email)
        entry = Signal(
            id=event.id,
            kind=kind,
            occurred_at=circumstances.occurred_at,
            received_at=circumstances.received_at,
            person=None if email is None else self._identity.person(email),
            role=event.role,
            topic=topic,
            seconds=event.seconds,
            score=score,
            source=circumstances.source,
            read=circumstances.read,
            rulebook=self._version,
        )
        return Verdict("counted", account=account, entry=entry)

    def _update(self, update: AccountUpdate, circumstances: Circumstances) -> Verdict:
        fields = update.model_dump(include=update.model_fields_set - _ENVELOPE, exclude_unset=True)
        if update.contacts is not None:
            fields["contacts"] = self._committee(update.contacts)
        if update.pin is not None:
            fields["pin"] = self._pin(update.pin)
        if update.retract is not None:
            fields["retract"] = self._retraction(update.retract)
        if self._identity.registrable(update.account) is None:
            raise Dead("invalid", f"account = {update.account!r}: Input should be a registrable domain")
        entry = Update(
            id=update.id,
            occurred_at=circumstances.occurred_at,
            received_at=circumstances.received_at,
            fields=cast("Said", fields),
            source=circumstances.source,
            read=circumstances.read,
            rulebook=self._version,
        )
        return Verdict("counted", account=self._account(update.account, None), entry=entry)

    def _committee(self, contacts: list[Contact]) -> dict[str, str | None]:
        """Person hash -> role; of a person named twice the last counts."""
        return {
            self._identity.person(self._address(f"contacts.{n}.email", contact.email)): contact.role for n, contact in enumerate(contacts)
        }

    def _pin(self, pin: Pin) -> records.Pin:
        rungs = self._rungs.get(pin.ladder)
        if rungs is None:
            raise Dead("invalid", f"pin.ladder = {pin.ladder!r}: Input should be a ladder of the rulebook")
        if pin.rung is not None and pin.rung not in rungs:
            raise Dead("invalid", f"pin.rung = {pin.rung!r}: Input should be a rung of the ladder {pin.ladder}")
        until = None if pin.until is None else _checked_day("pin.until", parse_day(pin.until.isoformat()))
        return {"ladder": pin.ladder, "rung": pin.rung, "reason": pin.reason, "author": pin.author, "until": until}

    def _retraction(self, said: Retraction) -> records.Retraction:
        return {
            "person": None if said.person is None else self._identity.person(self._address("retract.person", said.person)),
            "events": [self._retracted(f"retract.events.{n}", event) for n, event in enumerate(said.events)],
            "reason": said.reason,
            "author": said.author,
        }

    def _retracted(self, path: str, event: RetractedEvent) -> records.RetractedEvent:
        """Say of an event what it was counted as."""
        kind = event.kind if event.url is None else self._pages.look_up(event.url).kind
        if kind is None or kind not in self._kinds:
            raise Dead("invalid", f"{path}.kind = {kind!r}: Input should be a kind of the rulebook, or url an address of one")
        return {
            "id": event.id,
            "kind": kind,
            "day": _checked_day(f"{path}.occurred_at", day_of(to_ms(event.occurred_at))),
            "person": None if event.email is None else self._identity.person(self._address(f"{path}.email", event.email)),
            "topic": event.topic,
            "seconds": event.seconds,
        }

    def _address(self, path: str, said: str) -> str:
        email = normalize_email(said, self._identity.host)
        if email is None:
            raise Dead("invalid", f"{path} = {said!r}: Input should be an e-mail address")
        return email

    def _account(self, said: str | None, email: str | None) -> str:
        host = None if email is None else email.rpartition("@")[2]
        account, why_not = self._resolved(said, host)
        if account is None:
            raise _Filtered(why_not)
        return account

    def _resolve(self, said: str | None, email_host: str | None) -> tuple[str | None, str]:
        """Find the account an event is about, or why it has none: the one it names, else the e-mail address's domain.

        Own staff move no account, whatever account they name: either being an own domain filters the event.
        """
        hosts = [self._identity.host(name) for name in (said, email_host) if name is not None]
        domains = {host: domain for host in hosts if host is not None and (domain := self._identity.registrable(host)) is not None}
        if not self._own_domains.isdisjoint(domains.values()):
            return None, "own_domain"
        for host, domain in domains.items():
            if host not in self._free_mail and domain not in self._free_mail:
                return domain, ""
        return None, "free_mail" if domains else "unresolved"
