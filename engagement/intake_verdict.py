"""What becomes of one decoded event, judged by itself: counted for an account, filtered, or dead.

Nothing here depends on any other event; duplicates are `Intake`'s to find.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from engagement.days import day_of
from engagement.decoding import Dead, Decoded, ms_of
from engagement.events import AccountUpdate, Family, IntentSignal, WebVisit
from engagement.fates import COUNTED, TO_VISITOR, WAITING
from engagement.identity import Identity, Network, NetworkKind, is_person
from engagement.pages import DEFAULT_KIND, Page, Pages
from engagement.records import Read, Signal, Source, Update
from engagement.resolution import BY_ITSELF, OWN_DOMAIN, UNRESOLVED, Attempt, Evidence, Found, Link, Resolver
from engagement.rulebook import Rulebook
from engagement.update_reader import UpdateReader, read_address
from engagement.visitor import Visit

DATA_CENTRE = NetworkKind.DATA_CENTRE.value
OPTED_OUT = "opted_out"
"""Asked not to be tracked, and does not say itself whose the visit is."""


NO_KIND = ""


class Verdict(NamedTuple):
    """The fate of an event that is not dead; one that is counted by itself also has its account and what goes into its log."""

    fate: str  # "counted", "waiting" (its visitor's), "filtered:<reason>", "identify", "unlink", "forget" or "to_visitor"
    account: str | None = None
    above: tuple[str, ...] = ()  # further accounts that a signal goes to
    entry: Signal | Update | None = None
    said: Link | None = None  # who the visitor is, where the event says it
    visit: Visit | None = None  # where it depends on who the visitor is

    @property
    def concerns_visitor(self) -> bool:
        """Whether it says, takes back, or depends on who the visitor is; or that the visitor is to be forgotten."""
        return self.said is not None or self.visit is not None or self.fate in {"unlink", "forget"}

    @property
    def kind(self) -> str:
        """The kind under which it counts, or will; `NO_KIND` where it has none."""
        counts = self.visit if self.entry is None else self.entry
        return NO_KIND if counts is None or isinstance(counts, Update) else counts.kind


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


class Judge:
    """The rules of one rulebook about single events."""

    def __init__(self, rulebook: Rulebook, identity: Identity) -> None:
        self._identity = identity
        self._kinds = frozenset(rulebook.signals)
        self._min_scores = {kind: rule.min_score for kind, rule in rulebook.signals.items()}
        self._pages = Pages({kind: rule.urls for kind, rule in rulebook.signals.items()}, rulebook.ignore_urls)
        self._horizon = rulebook.intake.horizon
        self._skew = rulebook.intake.skew
        self._data_centres = rulebook.intake.data_centres
        self._scanner_ms = rulebook.intake.scanner_seconds * 1_000
        self._version = rulebook.version
        self._updates = UpdateReader(rulebook, identity, self._pages)
        self.resolver = Resolver(rulebook, identity)
        self._by_family: dict[Family, Callable[[Any, Circumstances], Verdict]] = {
            Family.WEB_VISITS: self._visit,
            Family.INTENT_SIGNALS: self._intent,
            Family.ACCOUNT_UPDATES: self._update,
        }

    def judge(self, family: Family, decoded: Decoded, received_at: int, source: Source, read: Read | None = None) -> Verdict:
        """Say an event's fate. ``received_at`` in milliseconds.

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
        email = self._email(visit)
        if visit.type in {"unlink", "forget"}:
            return Verdict(visit.type)
        if visit.user_agent is not None and self._identity.is_robot(visit.user_agent):
            raise _Filtered("robot")
        network = self._network(visit)
        if network is not None and network.kind is NetworkKind.OWN:
            raise _Filtered("own_network")
        if self._is_program(network) and self._data_centres == "filter" and visit.type == "page_view":
            raise _Filtered(DATA_CENTRE)
        evidence = self._evidence(visit.account, email, network)
        forgotten = self.why_forgotten(visit, network)
        verdict = self._page_view(visit, evidence, circumstances, forgotten)
        if verdict.said is not None or forgotten == OPTED_OUT:
            return verdict
        said = self.resolver.said(evidence, visit.role)
        if said is None:
            if visit.type == "identify":
                raise _Filtered(self.resolver.why_nobody(evidence))
            return verdict
        return verdict._replace(said=said)

    def evidence(self, family: Family, event: Any) -> Evidence:
        """Give what a visit or a signal has to find its account by, who its visitor is apart. Raises `Dead` as `judge` does."""
        return self._evidence(event.account, self._email(event), self._network(event) if family is Family.WEB_VISITS else None)

    def why_forgotten(self, visit: WebVisit, network: Network | None) -> str | None:
        """Name the reason for which a visit counts only under what it says itself, and is not remembered; None where it may be."""
        if visit.dnt or visit.gpc:
            return OPTED_OUT
        return DATA_CENTRE if self._is_program(network) else None

    def _is_program(self, network: Network | None) -> bool:
        return network is not None and network.kind is NetworkKind.DATA_CENTRE and self._data_centres != "keep"

    def _page_view(self, visit: WebVisit, evidence: Evidence, circumstances: Circumstances, forgotten: str | None) -> Verdict:
        """Judge a visit. ``forgotten``: why it counts only under what it says itself, and is never remembered; None: it may be."""
        if visit.type == "identify":
            return Verdict(f"filtered:{OPTED_OUT}" if forgotten == OPTED_OUT else "identify")
        page = Page() if visit.url is None and visit.kind is not None else self._pages.look_up(visit.url or "")
        if page.filtered is not None:
            return Verdict(f"filtered:{page.filtered}")
        kind = self._kind(visit, page)
        if forgotten is None:
            return self._dependent(visit, kind, evidence, circumstances)
        found, why_not = self.resolver.resolve(evidence._replace(network=None), self.resolver.order)
        if found is None:
            return Verdict(f"filtered:{OWN_DOMAIN if why_not == OWN_DOMAIN else forgotten}")
        return self._signal(visit, kind, found, circumstances)

    def _kind(self, visit: WebVisit, page: Page) -> str:
        """Name what a visit is: the act that it says itself, else what its page is. Raises `Dead` (``unknown_kind``)."""
        if visit.kind is not None:
            return self._known(visit.kind)
        if page.kind is None:
            raise Dead(
                "unknown_kind", f"url = {visit.url!r}: no kind of the rulebook has it in its urls, and there is no kind {DEFAULT_KIND!r}"
            )
        return page.kind

    def _known(self, kind: str) -> str:
        if kind not in self._kinds:
            raise Dead("unknown_kind", f"kind = {kind!r}: the rulebook's signals have no such kind")
        return kind

    def _dependent(self, visit: WebVisit, kind: str, evidence: Evidence, circumstances: Circumstances) -> Verdict:
        """Judge a visit that depends on who the visitor is, unless a method before that one settles it."""
        found, why_not = self.resolver.resolve(evidence, self.resolver.before)
        if found is not None:
            said = Link(found.account, found.person, visit.role, was=found.was) if found.method in BY_ITSELF else None
            return self._signal(visit, kind, found, circumstances, said=said)
        if why_not == OWN_DOMAIN or not self.resolver.remembers:
            return Verdict(f"filtered:{why_not}")
        otherwise, why_not = self.resolver.resolve(evidence, self.resolver.after)
        if why_not == OWN_DOMAIN:
            return Verdict(f"filtered:{OWN_DOMAIN}")
        remembered = Visit(
            id=visit.id,
            kind=kind,
            occurred_at=circumstances.occurred_at,
            received_at=circumstances.received_at,
            role=visit.role,
            seconds=visit.seconds,
            place=circumstances.source[1:3],
            otherwise=otherwise,
        )
        return Verdict(WAITING, visit=remembered)

    def _intent(self, signal: IntentSignal, circumstances: Circumstances) -> Verdict:
        email = self._email(signal)
        kind = self._known(signal.kind)
        if signal.score is not None and signal.score < self._min_scores[kind]:
            raise _Filtered("below_min_score")
        if signal.sent_at is not None and self._is_scanner(circumstances.occurred_at, ms_of(signal.sent_at)):
            raise _Filtered("scanner")
        if signal.visitor_id is not None and signal.account is None and email is None and self.resolver.remembers:
            return Verdict(TO_VISITOR)
        found, why_not = self.resolver.resolve(self._evidence(signal.account, email), self.resolver.order)
        if found is None:
            raise _Filtered(why_not)
        return self._signal(signal, kind, found, circumstances, topic=signal.topic, score=signal.score)

    def _is_scanner(self, occurred_at: int, sent_at: int) -> bool:
        """Whether it occurred too soon after the mail was sent for a person; before that is too soon as well, for clocks differ."""
        return self._scanner_ms > 0 and occurred_at - sent_at < self._scanner_ms

    def _email(self, event: WebVisit | IntentSignal) -> str | None:
        return None if event.email is None else read_address("email", event.email, self._identity)

    def _network(self, visit: WebVisit) -> Network | None:
        return None if visit.ip is None else self._identity.network(visit.ip)

    def _evidence(self, account: str | None, email: str | None, network: Network | None = None) -> Evidence:
        if email is None:
            return Evidence(account, network=network)
        return Evidence(account, email, self._identity.person(email), network, was=self._identity.was(email))

    def _signal(
        self,
        event: WebVisit | IntentSignal,
        kind: str,
        found: Found,
        circumstances: Circumstances,
        *,
        said: Link | None = None,
        topic: str | None = None,
        score: int | None = None,
    ) -> Verdict:
        entry = Signal(
            id=event.id,
            kind=kind,
            occurred_at=circumstances.occurred_at,
            received_at=circumstances.received_at,
            person=found.person,
            was=found.was,
            role=event.role,
            topic=topic,
            seconds=event.seconds,
            score=score,
            source=circumstances.source,
            read=circumstances.read,
            method=found.method,
            confidence=found.confidence,
            rulebook=self._version,
        )
        return Verdict(COUNTED, account=found.account, above=found.above, entry=entry, said=said)

    def _update(self, update: AccountUpdate, circumstances: Circumstances) -> Verdict:
        fields = self._updates.read(update)
        account, why_not = self._account_of(update)
        if why_not == UNRESOLVED:
            raise Dead("invalid", f"account = {update.account!r}: Input should be a registrable domain")
        if account is None:
            raise _Filtered(why_not)
        entry = Update(
            id=update.id,
            occurred_at=circumstances.occurred_at,
            received_at=circumstances.received_at,
            fields=fields,
            source=circumstances.source,
            read=circumstances.read,
            rulebook=self._version,
        )
        return Verdict(COUNTED, account=account, entry=entry)

    def _account_of(self, update: AccountUpdate) -> Attempt:
        """Say whose an update is.

        One that retracts a person by hash names the account as the log has it: what was counted there stays there, whether it is
        an alias of another by now, or no account any more.
        """
        retracted = None if update.retract is None else update.retract.person
        if retracted is None or not is_person(retracted):
            return self.resolver.account_named(update.account)
        account = self._identity.registrable(update.account)
        return Attempt(None, UNRESOLVED) if account is None else Attempt(account)
