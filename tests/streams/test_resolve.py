"""``mqa resolve``: whose an event is, by which method, and why the others lost."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engagement.days import parse_day
from engagement.errors import Refused
from streams.history.replay import replay
from streams.history.simulate import simulate_history
from streams.resolve.command import resolve

JANE = "jane@acme.com"


def event(event_id: str = "e1", at: str = "2025-01-01T10:00:00Z", **said: Any) -> dict[str, Any]:
    return {"id": event_id, "occurred_at": at, **said}


def visit(event_id: str = "e1", **said: Any) -> dict[str, Any]:
    return event(event_id, **{"visitor_id": "v-17", "url": "/pricing", **said})


def form(event_id: str, **said: Any) -> dict[str, Any]:
    return event(event_id, **{"kind": "demo_request", "email": JANE, **said})


def run(*arguments: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(resolve, arguments, input=given, catch_exceptions=False)


def told(*arguments: str, of: dict[str, Any]) -> list[str]:
    return run(json.dumps(of), *arguments).stdout.splitlines()


def told_of_file(*events: dict[str, Any], arguments: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    ran = run("--file", "-", "--json", *arguments, given="\n".join(map(json.dumps, events)))
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.fixture
def networks(tmp_path: Path) -> tuple[str, str]:
    file = tmp_path / "networks.csv"
    file.write_text("203.0.113.0/24,beta.com\n198.51.100.0/24,,isp\n192.0.2.0/24,,data_centre\n")
    return "--networks", str(file)


def rulebook(folder: Path, text: str) -> tuple[str, str]:
    file = folder / "rulebook.yaml"
    file.write_text(f"signals: {{page: {{points: 1}}, demo_request: {{points: 9}}}}\nstage: {{keen: {{enter: {{score: 10}}}}}}\n{text}\n")
    return "--rulebook", str(file)


# One event


def test_one_event_is_told_with_its_account_method_and_confidence_and_why_each_other_method_lost(networks: tuple[str, str]) -> None:
    assert told(*networks, of=visit(email="Jane@WWW.Acme.com", ip="203.0.113.9")) == [
        "e1: acme.com by email, confidence 90",
        "    account  the event names none",
        "    contact  jane@www.acme.com is on no contact list",
        "  > email    acme.com, by jane@www.acme.com",
        "    visitor  not looked up: the event itself says who v-17 is",
        "    network  beta.com, but email comes first",
    ]


def test_an_event_from_standard_input_may_go_over_several_lines() -> None:
    assert run(given=json.dumps(visit(email=JANE), indent=2)).stdout == run(json.dumps(visit(email=JANE))).stdout


def test_an_event_of_nobody_says_what_each_method_lacks(networks: tuple[str, str]) -> None:
    assert told(*networks, of=visit(account="Acme Inc", ip="198.51.100.1")) == [
        "e1: nobody's so far, it waits until its visitor says who they are",
        "    account  no domain that a company can have: Acme Inc",
        "    contact  the event has no e-mail address",
        "    email    the event has no e-mail address",
        "    visitor  v-17 has not said so far who it is",
        "    network  198.51.100.0/24 is a provider's, and its addresses anyone's",
    ]


def test_a_signal_is_not_found_by_its_visitor_or_an_address() -> None:
    assert told(of=form("e1", email="x@gmail.com", visitor_id="v-17")) == [
        "e1: nobody's, an address at a free-mail provider is no account's",
        "    account  the event names none",
        "    contact  x@gmail.com is on no contact list",
        "    email    x@gmail.com is at a free-mail provider",
        "    visitor  a signal is not found by its visitor",
        "    network  the event has no IP address",
    ]


def test_the_rulebooks_order_aliases_and_parents_decide(tmp_path: Path, networks: tuple[str, str]) -> None:
    rules = "resolve: {order: [network, email], aliases: {acme.de: acme.com}, parents: {beta.com: group.com}}"
    assert told(*networks, *rulebook(tmp_path, rules), of=visit(email="jane@acme.de", ip="203.0.113.9")) == [
        "e1: beta.com by network, confidence 50, and for group.com above it",
        "  > network  beta.com, by 203.0.113.0/24",
        "    email    acme.com, but network comes first",
    ]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"gpc": True}, "delta.com, but its visitor asked not to be tracked"),
        ({"ip": "203.0.113.9"}, "delta.com, but visits from data centres move no account"),
    ],
)
def test_what_is_filtered_for_another_reason_than_its_account_says_that_one(tmp_path: Path, wish: dict[str, Any], words: str) -> None:
    networks = tmp_path / "networks.csv"
    networks.write_text("network,domain,kind\n203.0.113.0/24,,data_centre\n")
    rules = rulebook(tmp_path, "intake: {data_centres: filter}")
    said = visit(email="z@delta.com", **({"type": "identify"} if "gpc" in wish else {}), **wish)
    assert f"  email    {words}".strip() in "\n".join(told(*rules, "--networks", str(networks), of=said))


def test_an_identify_that_says_nobody_is_filtered_for_the_reason_why() -> None:
    assert told(of=visit(type="identify", email="x@gmail.com"))[0] == "e1: nobody's, an address at a free-mail provider is no account's"
    assert told(of=visit(type="identify"))[0] == "e1: nobody's, no method knows its account"


@pytest.mark.parametrize("said", [{}, {"type": "identify"}])
def test_own_staff_move_no_account_that_they_name(tmp_path: Path, said: dict[str, Any]) -> None:
    lines = told(*rulebook(tmp_path, "intake: {own_domains: [us.example]}"), of=visit(account="acme.com", email="me@us.example", **said))
    assert lines[0] == ("e1: visitor v-17 is of our own staff" if said else "e1: nobody's, it is of our own staff")
    assert lines[1] == "    account  acme.com, but own staff move no account"
    assert lines[3] == "    email    me@us.example is our own"


def test_whoever_asked_not_to_be_tracked_is_looked_for_nowhere(networks: tuple[str, str]) -> None:
    lines = told(*networks, of=visit(ip="203.0.113.9", gpc=True))
    assert lines[0] == "e1: nobody's, its visitor asked not to be tracked"
    assert [line[4:] for line in lines[4:]] == [
        "visitor  not looked at: the visitor asked not to be tracked",
        "network  not looked at: the visitor asked not to be tracked",
    ]


def test_a_visit_from_a_data_centre_counts_for_whom_it_names_itself(networks: tuple[str, str]) -> None:
    assert told(*networks, of=visit(ip="192.0.2.1"))[0] == "e1: nobody's, it came from a data centre"
    assert told(*networks, of=visit(ip="192.0.2.1", email=JANE))[0] == "e1: acme.com by email, confidence 90"


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (visit(user_agent="Googlebot/2.1"), "e1: filtered as robot"),
        (visit(email="nobody"), "a record of web-visits: a dead letter (invalid): email = 'nobody': Input should be an e-mail address"),
        (visit(type="unlink"), "e1: visitor v-17 is nobody's again"),
        (event(account="WWW.Acme.com", relationship="customer"), "e1: acme.com, whose update it is"),
        ({"kind": "demo_request"}, "a record of intent-signals: a dead letter (invalid): id absent: Field required"),
    ],
)
def test_where_no_method_is_asked_one_line_says_why(said: dict[str, Any], line: str) -> None:
    assert told(of=said) == [line]


@pytest.mark.parametrize("given", ["acme.com", "[1]", "", '{"topic": "web-visits", "received_at": "today"}', "\udcff"])
def test_what_is_no_event_is_refused(given: str) -> None:
    with pytest.raises(Refused, match=r"^EVENT: .*; "):
        run(given)


def test_an_event_and_a_file_are_too_much() -> None:
    ran = CliRunner().invoke(resolve, ["{}", "--file", "x"])
    assert ran.exit_code == 2
    assert "one of the two" in ran.stderr


# Many


def test_visitors_are_known_as_far_as_the_events_before_tell(networks: tuple[str, str]) -> None:
    first, second, signal, derived, third, gone, last = told_of_file(
        visit("1"),
        visit("2", ip="203.0.113.9"),
        form("3", visitor_id="v-17"),
        visit("4"),
        visit("5", type="unlink"),
        visit("6"),
        arguments=networks,
    )
    assert (first["fate"], first["account"]) == ("waiting", None)
    assert (second["account"], second["method"]) == ("beta.com", "network")
    assert (signal["account"], signal["method"]) == ("acme.com", "email")
    assert (derived["line"], derived["fate"], derived["account"], derived["moved"]) == (3, "identify", "acme.com", 2)
    assert (third["account"], third["method"], third["confidence"]) == ("acme.com", "visitor", 80)
    assert third["person"] == signal["person"]
    assert (gone["fate"], gone["moved"]) == ("unlink", 3)
    assert last["fate"] == "waiting"


def test_a_signal_that_only_its_visitor_can_tell_is_followed_by_the_visit_that_stands_for_it() -> None:
    ran = run(
        "--file", "-", given="\n".join(map(json.dumps, [form("1", email=None, visitor_id="v-17"), visit("2", type="identify", email=JANE)]))
    )
    assert [line for line in ran.stdout.splitlines() if not line.startswith("    ")][:3] == [
        "1  1: only visitor v-17 can tell whose, so a visit of that one stands for it and follows",
        "1  intent:1: nobody's so far, it waits until its visitor says who they are",
        "2  2: visitor v-17 is of acme.com; 1 earlier visit moves with it",
    ]
    assert "1 intent signals could only be told by their visitor" in ran.stdout


def test_a_visit_may_have_a_kind_as_a_signal_has() -> None:
    assert told(of=visit(kind="demo_request", email=JANE))[0] == "e1: acme.com by email, confidence 90"
    (each,) = told_of_file(visit(kind="demo_request", email=JANE))
    assert each["topic"] == "web-visits"


def test_a_minute_of_too_many_pages_is_told_as_a_programs_from_the_page_on_that_was_too_many(tmp_path: Path) -> None:
    rules = rulebook(tmp_path, "visitors: {pages_a_minute: 2}")
    *_, last = events = [visit("1", type="identify", email=JANE), *(visit(each) for each in "2345")]
    lines = run("--file", "-", *rules, given="\n".join(map(json.dumps, events))).stdout.splitlines()
    assert [line for line in lines if not line.startswith("  ")][1:] == [
        "2  2: acme.com by visitor, confidence 80",
        "3  3: acme.com by visitor, confidence 80",
        "4  4: nobody's, in that minute its visitor opened more pages than a person does; 2 earlier visits move with it",
        "5  5: nobody's, in that minute its visitor opened more pages than a person does",
        "4 events in = 0 counted + 4 filtered + 0 dead",
    ]
    assert told_of_file(*events, arguments=rules)[-1]["visitor_id"] == last["visitor_id"]


def test_a_duplicate_is_told_as_one() -> None:
    assert [each["fate"] for each in told_of_file(visit(email=JANE), visit(email=JANE))] == ["counted", "filtered:duplicate"]


def test_a_program_gets_what_each_method_looked_up_and_why_it_lost() -> None:
    (each,) = told_of_file(visit(email="x@gmail.com"))
    assert each["answers"][1:4] == [
        {"method": "contact", "by": "x@gmail.com", "account": None, "lost": "absent"},
        {"method": "email", "by": "x@gmail.com", "account": None, "lost": "free_mail"},
        {"method": "visitor", "by": "v-17", "account": None, "lost": "absent"},
    ]


def test_events_in_another_format_are_told_as_what_becomes_of_them(tmp_path: Path) -> None:
    call = {"type": "page", "messageId": "m1", "anonymousId": "a1", "timestamp": "2025-01-01T10:00:00Z", "context": {"page": {"url": "/"}}}
    lines = [
        {"topic": "web-visits", "received_at": "2025-01-01T10:00:00Z", "key": "a1", "value": value}
        for value in (call, call | {"type": "alias", "messageId": "m2", "previousId": "a0", "userId": "u1"})
    ]
    record, page, left_out = told_of_file(*lines, arguments=rulebook(tmp_path, "adapters: {topics: {web-visits: segment}}"))
    assert record["fate"] == "adapted"
    assert (page["id"], page["fate"], page["visitor_id"]) == ("m1", "waiting", "a1")
    assert left_out["fate"] == "filtered:alias"


def test_a_bad_line_is_told_and_counted_and_the_others_go_on() -> None:
    ran = run("--file", "-", given="\n".join([json.dumps(visit()), "nonsense", "", "[]", json.dumps(visit("e2", email=JANE))]))
    assert ran.exit_code == 0
    assert [line.split()[1] for line in ran.stdout.splitlines() if not line.startswith(" ")][:2] == ["e1:", "e2:"]
    assert [line.partition("; ")[0] for line in ran.stderr.splitlines()] == [
        "standard input:2: JSON is malformed: invalid character (byte 4)",
        "standard input:4: Expected `object`, got `array`",
    ]
    assert ran.stdout.endswith("2 lines more without an event, left out\n")


def test_the_summary_is_where_a_replay_ends_its_events_and_says_by_which_methods_they_count(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl.gz"
    history.write_bytes(gzip.compress(b"".join(simulate_history(accounts=10, days=40, start_day=parse_day("2025-01-01"), seed=1)), 1))
    told = [line for line in run("--file", str(history), "--json").stderr.splitlines() if line]
    replayed = CliRunner().invoke(replay, [str(history)]).stderr.splitlines()
    counted = told.pop(1)
    assert told == [line for line in replayed[: len(told) + 1] if "wrong partition" not in line][: len(told)]
    by = {words.rpartition(" ")[0]: int(words.rpartition(" ")[2]) for words in counted.removeprefix("  counted: ").split(", ")}
    assert by.keys() == {"by account", "by contact", "by email", "by visitor", "account updates"}
    assert f"= {sum(by.values()):,} counted" in told[0]


def test_a_file_a_compressed_one_and_standard_input_are_told_alike(tmp_path: Path) -> None:
    lines = "\n".join(map(json.dumps, [visit("1"), form("2", visitor_id="v-17")])).encode()
    plain, zipped = tmp_path / "events.jsonl", tmp_path / "events.jsonl.gz"
    plain.write_bytes(lines)
    zipped.write_bytes(gzip.compress(lines))
    assert run("--file", str(plain)).stdout == run("--file", str(zipped)).stdout == run("--file", "-", given=lines).stdout
