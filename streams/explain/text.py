"""An explanation as a person reads it on a terminal: under 100 columns, plain where there is no terminal."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from textwrap import wrap

from click import style

from engagement.explain.explanation import Cap, Explanation, Fit, Interest, NextRung, People, Person, RolledUp, Share, Standing, Worth
from engagement.explain.missing import Requirement, Way
from engagement.explain.wording import exact, listed, plain, rounded, several, told
from engagement.written import printable

WIDTH = 98
MOST_PEOPLE = 10
MOST_INTERESTS = 8
MOST_BELOW = 8
OTHER_WAYS = 3
_INDENT = "  "


def explanation_lines(explanation: Explanation) -> Iterator[str]:
    """Every line; headings are styled, which `click.echo` takes out where there is no terminal."""
    yield from wrap(explanation.sentence, WIDTH)
    if explanation.coarsened:
        coarse = (
            "It has more people or topics than are kept one by one: the rest is counted together, so people and topics are approximate."
        )
        yield from wrap(coarse, WIDTH)
    yield from wrap(_about(explanation), WIDTH)
    yield from _headed(f"Score {exact(explanation.score)}", _score(explanation))
    if explanation.rolled_up is not None:
        yield from _headed(f"Rolled up {exact(explanation.rolled_up.score)}", _rolled_up(explanation.rolled_up))
    yield from _headed("If nothing more happens", _silence(explanation))
    for standing in explanation.standings:
        yield from _headed(*_standing(standing))
    yield from _headed(_people_heading(explanation.people), _people(explanation.people))
    if explanation.fit is not None:
        yield from _headed(_fit_heading(explanation.fit), _fit(explanation.fit))
    if explanation.worth is not None:
        yield from _headed(f"Value {explanation.worth.value}", _worth(explanation.worth))
    yield from _headed("Interest by topic", _interests(explanation.interests))
    yield from _headed("Groups", _groups(explanation))
    yield from _headed("What happened", _timeline(explanation))


def _headed(heading: str, lines: Iterable[str]) -> Iterator[str]:
    """Leave the whole section out where there is nothing to say."""
    lines = list(lines)
    if lines:
        yield ""
        yield style(heading, bold=True)
        for line in lines:
            yield from _indented(line)


def _indented(line: str) -> list[str]:
    """Keep columns as they are; what is too long goes on below."""
    if len(line) + len(_INDENT) <= WIDTH:
        return [_INDENT + line]
    own = len(line) - len(line.lstrip())
    return wrap(line.lstrip(), WIDTH, initial_indent=_INDENT + " " * own, subsequent_indent=_INDENT + " " * (own + 4))


def _table(rows: Iterable[Sequence[str]], *, heading: Sequence[str] = (), right: Collection[int] = ()) -> Iterator[str]:
    """Columns two spaces apart, those in ``right`` set to the right; one with nothing in it is left out, heading and all."""
    rows = list(rows)
    filled = [number for number in range(len(rows[0])) if any(row[number] for row in rows)]
    if heading:
        rows.insert(0, heading)
    widths = {number: max(len(row[number]) for row in rows) for number in filled}
    for row in rows:
        cells = (row[number].rjust(widths[number]) if number in right else row[number].ljust(widths[number]) for number in filled)
        yield _INDENT.join(cells).rstrip()


def _about(explanation: Explanation) -> str:
    said = {"": explanation.name, "CRM ": explanation.crm_id, "owner ": explanation.owner, "region ": explanation.region}
    words = [f"{label}{printable(text, 60)}" for label, text in said.items() if text is not None]
    return ", ".join([*words, f"as of {explanation.day} by rulebook {explanation.rulebook}"])


def _score(explanation: Explanation) -> Iterator[str]:
    if not explanation.shares:
        yield "no signal that is still worth anything"
        return
    rows = [_share(share) for share in explanation.shares]
    yield from _table(rows, heading=("points", "of", "signals", "people", "held back", "newest event"), right=(0, 2, 3, 4))
    for cap in explanation.caps:
        earned = f"earned {rounded(cap.earned)}, {rounded(cap.over)} too much"
        yield f"cap of {rounded(cap.limit)} for {_whose(cap, explanation.people)}: {earned}"
    beyond = [f"{share.beyond_repeats:,} {plain(share.kind)}" for share in explanation.shares if share.beyond_repeats]
    if beyond:
        yield f"signals beyond what counts of one person on one day: {', '.join(beyond)}"


def _rolled_up(rolled_up: RolledUp) -> Iterator[str]:
    names = [printable(name, 60) for name in rolled_up.accounts[:MOST_BELOW]]
    others = [] if names and len(rolled_up.accounts) <= MOST_BELOW else ["others"]
    yield f"{several(rolled_up.people, 'active person', 'active people')}, together with {listed([*names, *others], 'and')}"
    if rolled_up.coarsened:
        yield "there are more people below than are kept one by one: they are approximate"


def _whose(cap: Cap, people: People) -> str:
    match cap.name:
        case "person":
            return _named(cap.person, people)
        case "anonymous":
            return "anonymous visitors"
        case "third_party":
            return "third-party signals"
        case kind:
            return f"all of {plain(kind.removeprefix('account.'))}"


def _share(share: Share) -> tuple[str, ...]:
    held = exact(share.clipped) if share.clipped else ""
    newest = printable(share.events[0], 32) if share.events else ""
    return exact(share.points), plain(share.kind), f"{share.signals:,}", f"{share.people:,}", held, newest


def _silence(explanation: Explanation) -> Iterator[str]:
    yield ", ".join(f"{rounded(ahead.score)} points in {ahead.days} days" for ahead in explanation.ahead)
    for move in explanation.in_silence:
        yield f"{move.day}  {move.ladder} {'falls' if move.is_fall else 'rises'} from {plain(move.from_)} to {plain(move.to)}"
    if not explanation.in_silence:
        yield "it stays where it stands"


def _standing(standing: Standing) -> tuple[str, list[str]]:
    since = "" if standing.since is None else f" since {standing.since}"
    lines = []
    if standing.pin is not None:
        pin = standing.pin
        because = "" if pin.reason is None else f" ({printable(pin.reason, 120)})"
        until = "" if pin.until is None else f" until {pin.until}"
        lines.append(f"pinned to {plain(pin.rung)} by {printable(pin.author or 'somebody', 60)}{because}{until}")
        lines.append(
            f"by the numbers it would be on {plain(pin.computed)}"
            if pin.active
            else "it does not hold: suppressed, or no rung of the rulebook"
        )
    if standing.next is None:
        lines.append("the highest there is")
    else:
        lines += _next(standing.next, is_pinned=standing.pin is not None and standing.pin.active)
    return f"{standing.ladder.capitalize()}: {plain(standing.rung)}{since}", lines


def _next(upwards: NextRung, *, is_pinned: bool) -> Iterator[str]:
    nearest, *others = upwards.ways
    barred = "" if upwards.barred is None else f", {upwards.barred}"
    missing = several(nearest.missing, "thing is", "things are") if nearest.missing else "nothing is"
    yield f"to {plain(upwards.rung)}{' by the numbers' if is_pinned else ''}{barred}: {missing} missing"
    yield from _table(_requirement(each) for each in sorted(nearest.requirements, key=lambda each: each.met))
    for way in others[:OTHER_WAYS]:
        yield f"or: {_lacking(way)}"
    if len(others) > OTHER_WAYS:
        yield f"or {several(len(others) - OTHER_WAYS, 'other way', 'other ways')}"


def _requirement(requirement: Requirement) -> tuple[str, str, str]:
    more = "" if requirement.lacks is None else f", {requirement.lacks} more to go"
    return ("  has" if requirement.met else "  needs", requirement.asks, f"now {printable(requirement.has, 60)}{more}")


def _lacking(way: Way) -> str:
    return listed([each.asks for each in way.requirements if not each.met] or ["what it has"], "and")


def _people_heading(people: People) -> str:
    rest = len(people.known) - people.active
    known = f", {rest:,} more known" if rest > 0 else ""
    return f"People: {people.active:,} active on {several(people.active_days, 'day', 'days')}{known}"


def _people(people: People) -> Iterator[str]:
    rows = [_person(person) for person in people.known[:MOST_PEOPLE]]
    if people.anonymous or people.anonymous_signals:
        rows.append((exact(people.anonymous), "anonymous visitors", "", several(people.anonymous_signals, "signal", "signals")))
    if people.third_party:
        rows.append((exact(people.third_party), "reported by third parties", "", ""))
    if people.merged:
        rows.append((exact(people.merged), "others, counted together", "", ""))
    unseen = people.known[MOST_PEOPLE:]
    if unseen:
        points = sum(person.points for person in unseen)
        rows.append((exact(points), f"{len(unseen):,} more people", "", ""))
    if people.over_caps_of_kinds:
        rows.append((f"-{exact(people.over_caps_of_kinds)}", "over the caps of kinds", "", ""))
    if rows:
        yield from _table(rows, right=(0,))
    committee = people.committee
    if committee is not None:
        known = f"{listed(map(plain, committee.known), 'and')} known" if committee.known else "nobody known"
        missing = f", {listed(map(plain, committee.missing), 'and')} missing" if committee.missing else ""
        yield f"buying committee {committee.share // 10}% complete: {known}{missing}"
        if committee.blockers:
            yield f"may block: {listed(map(plain, committee.blockers), 'and')}"


def _person(person: Person) -> tuple[str, str, str, str]:
    active = "only known" if person.last_active is None else f"last active {person.last_active}"
    notes = [active, *([] if person.counts else ["left out by role"]), *(["may block"] if person.blocks else [])]
    return exact(person.points), _role(person.role), _short(person.person), ", ".join(notes)


def _role(role: str | None) -> str:
    return "role unknown" if role is None else printable(plain(role), 30)


def _short(person: str | None) -> str:
    """A few letters of a hash, to tell two people of one role apart."""
    return "" if person is None else person.rpartition(".")[2][:6]


def _named(person: str | None, people: People) -> str:
    role = next((each.role for each in people.known if each.person == person), None)
    return "others, counted together" if person == "*" else f"{_role(role)} {_short(person)}"


def _fit_heading(fit: Fit) -> str:
    score = "" if fit.score is None else f", {fit.score} of 100"
    return f"Fit {fit.grade}{score}, {fit.known // 10}% known"


def _fit(fit: Fit) -> Iterator[str]:
    order = {"met": 0, "not met": 1, "unknown": 2}
    rows = [
        (each.answer, f"{each.weight}", plain(each.name), _compared(each.has, each.asks, is_met=each.answer == "met"))
        for each in sorted(fit.criteria, key=lambda each: order[each.answer])
    ]
    yield from _table(rows, heading=("", "weight", "", ""), right=(1,))


def _compared(has: object, asks: str, *, is_met: bool) -> str:
    shown = printable(told(has), 40)
    return shown if is_met else f"{shown}, asked for is {printable(asks, 60)}"


def _worth(worth: Worth) -> Iterator[str]:
    if worth.strategic:
        yield "a strategic logo"
    if worth.expected_ltv is not None:
        border = "" if worth.high is None else f", high from {told(worth.high)} on"
        yield f"expected lifetime value {told(worth.expected_ltv)}{border}"


def _interests(interests: Sequence[Interest]) -> Iterator[str]:
    rows = [_interest(each) for each in interests[:MOST_INTERESTS]]
    if rows:
        yield from _table(rows, heading=("", "", "score", "3 weeks", "12 before", "people", ""), right=(2, 3, 4, 5))
    if len(interests) > MOST_INTERESTS:
        yield f"and {len(interests) - MOST_INTERESTS:,} more"


def _interest(interest: Interest) -> tuple[str, ...]:
    surges = "surges" if interest.surges else ""
    why = "" if interest.unknown is None else f"unknown: {interest.unknown}"
    if interest.surging_topics is not None and not why:
        why = f"surging in it: {printable(', '.join(interest.surging_topics), 60) or 'none'}"
    name = printable(interest.name, 30) + (" (need)" if interest.is_need else "")
    score = "" if interest.score is None else f"{interest.score}"
    return name, surges, score, f"{interest.recent:,}", f"{interest.baseline:,}", f"{interest.people:,}", why


def _groups(explanation: Explanation) -> Iterator[str]:
    if explanation.segments:
        yield f"segments: {', '.join(map(plain, explanation.segments))}"
    if explanation.cluster is not None:
        yield f"cluster: {printable(explanation.cluster, 80)}"


def _timeline(explanation: Explanation) -> Iterator[str]:
    rows = [
        (past.day, past.ladder, f"{plain(past.from_)} to {plain(past.to)}", f"at {rounded(past.score)} points", f"by {past.reason}")
        for past in explanation.timeline
    ]
    return _table(rows) if rows else iter(())
