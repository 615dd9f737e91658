"""Hosts become registrable domains, addresses become hashes, keys become partitions."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from engagement.decoding import decode
from engagement.events import Family
from engagement.identity import normalize_email, person_hasher
from engagement.intake_verdict import Judge
from engagement.rulebook import load_rulebook
from streams.identity import host, make_identity, registrable
from tests.engagement.intake_world import NOON, intent

IDENTITY = make_identity(partitions=4, secret=b"secret", key_id="k1")


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("WWW.Acme.COM.", "acme.com"),
        ("eu.acme.co.uk", "acme.co.uk"),
        ("Bücher.de", "xn--bcher-kva.de"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        (" acme.com ", "acme.com"),
        ("acme.example", "acme.example"),
    ],
)
def test_a_host_has_one_registrable_domain(host: str, domain: str) -> None:
    assert registrable(host) == domain


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "acme",
        "co.uk",
        "1.2.3.4",
        "2001:db8::1",
        "[::1]",
        "a..com",
        "-a.com",
        "a b.com",
        "acme.com:80",
        "http://acme.com",
        "ü..de",
        "a" * 64 + ".com",
        "a." * 127 + "com",
        "1.2.3",
        "a\x00.com",
        "\u200d.com",
    ],
)
def test_what_is_no_public_host_has_none(host: str) -> None:
    assert registrable(host) is None


def test_a_person_is_64_bits_of_a_keyed_hash_behind_the_keys_id() -> None:
    digest = hmac.new(b"secret", b"jane@acme.com", hashlib.sha256).hexdigest()
    assert person_hasher(b"secret", "k1")("jane@acme.com") == f"k1.{digest[:16]}"
    assert IDENTITY.person("jane@acme.com") == f"k1.{digest[:16]}"
    assert person_hasher(b"other", "k1")("jane@acme.com") != f"k1.{digest[:16]}"


@pytest.mark.parametrize(
    ("text", "email"),
    [
        (" Jane.Doe@Acme.COM\n", "jane.doe@acme.com"),
        ("jane@acme.com.", "jane@acme.com"),
        ("jane@bücher.de", "jane@xn--bcher-kva.de"),
        ("jane@XN--BCHER-KVA.DE.", "jane@xn--bcher-kva.de"),
        ("JANE@BÜCHER.DE", "jane@xn--bcher-kva.de"),
        ("jane@bu\u0308cher\u3002de", "jane@xn--bcher-kva.de"),
        ("J\u00dcRGEN@acme.com", "jürgen@acme.com"),
        ("ju\u0308rgen@acme.com", "jürgen@acme.com"),
        ("jane@localhost", "jane@localhost"),
        ("jane@[192.0.2.1]", "jane@[192.0.2.1]"),
        ("jane", None),
        ("@acme.com", None),
        ("jane@", None),
        ("a@b@c.com", None),
        ("jane doe@acme.com", None),
        ("a" * 65 + "@acme.com", None),
        ("jane@.", None),
        ("jane@acme.com..", None),
        ("jane@ü..de", None),
        ("jane@\u200d.com", None),
    ],
)
def test_an_address_has_one_spelling(text: str, email: str | None) -> None:
    assert normalize_email(text, IDENTITY.host) == email


@given(st.text(st.sampled_from("aÄß\u0308İ.。-_@ \t\u200d\u00ad"), max_size=12) | st.text(max_size=12))
def test_the_one_form_of_a_host_is_its_own(text: str) -> None:
    name = host(text)
    assert name is None or (name.isascii() and host(name) == name)


# The vectors of the Java client's own test of `Utils.murmur2`.
@pytest.mark.parametrize(
    ("key", "murmur2"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_partitions_are_those_of_the_java_client(key: bytes, murmur2: int) -> None:
    for partitions in (1, 4, 12, 1000):
        identity = make_identity(partitions=partitions, secret=b"", key_id="k1")
        assert identity.partition_of(key) == (murmur2 & 0x7FFFFFFF) % partitions


def test_robots_are_known_by_their_user_agent() -> None:
    assert IDENTITY.is_robot("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    assert IDENTITY.is_robot("Mozilla/5.0 (compatible; Ezooms/1.0; help@moz.com)")
    assert not IDENTITY.is_robot("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")


def test_a_rulebook_may_spell_a_free_mail_domain_as_people_do() -> None:
    rulebook = load_rulebook(
        "signals: {webinar: {points: 30}}\nintake: {free_mail: [Bücher.Example]}\nstage: {mqa: {enter: {score: 9}}}", "r"
    )
    event = decode(Family.INTENT_SIGNALS, intent(email="jane@xn--bcher-kva.example"))
    assert Judge(rulebook, IDENTITY).judge(Family.INTENT_SIGNALS, event, NOON, ("", 0, 0, 0)).fate == "filtered:free_mail"


def fate_of_intent(**said: str) -> tuple[str, str | None]:
    rulebook = load_rulebook("signals: {webinar: {points: 30}}\nstage: {mqa: {enter: {score: 9}}}", "r")
    event = decode(Family.INTENT_SIGNALS, intent(**{"email": UNSET, **said}))
    verdict = Judge(rulebook, IDENTITY).judge(Family.INTENT_SIGNALS, event, NOON, ("", 0, 0, 0))
    return verdict.fate, verdict.account


@pytest.mark.parametrize(
    "said",
    [
        {"account": "WWW.Acme.COM."},
        {"account": "acme.com"},
        {"email": "Jane@Mail.ACME.com."},
        {"account": "192.0.2.1", "email": "jane@acme.com"},  # what is no host does not stand in the way
    ],
)
def test_every_spelling_of_a_host_is_one_account(said: dict[str, str]) -> None:
    assert fate_of_intent(**said) == ("counted", "acme.com")


@pytest.mark.parametrize("account", ["Bücher.example", "WWW.BU\u0308CHER.example.", "xn--bcher-kva.example", "bücher\u3002example"])
def test_an_international_domain_is_an_account_in_its_ascii_form(account: str) -> None:
    assert fate_of_intent(account=account) == ("counted", "xn--bcher-kva.example")


@pytest.mark.parametrize("host", ["192.0.2.1", "[192.0.2.1]", "2001:db8::1", "[2001:db8::1]", "localhost", "-acme.com", "co.uk"])
def test_an_ip_literal_or_a_host_that_is_nobodys_is_never_an_account(host: str) -> None:
    assert fate_of_intent(account=host) == ("filtered:unresolved", None)
    assert fate_of_intent(email=f"jane@{host}") == ("filtered:unresolved", None)


@pytest.mark.parametrize("host", ["a..com", "acme.com:80", "http://acme.com", "a" * 64 + ".com", "Acme Inc", "\u200d.com"])
def test_what_is_no_host_is_never_an_account(host: str) -> None:
    assert fate_of_intent(account=host) == ("filtered:unresolved", None)


def test_an_address_to_throw_away_is_never_an_account() -> None:
    assert fate_of_intent(email="jane@mailinator.com") == ("filtered:disposable_mail", None)
    assert fate_of_intent(email="jane@gmail.com") == ("filtered:free_mail", None)


def test_the_large_disposable_providers_are_known_and_the_large_free_ones_are_none_of_them() -> None:
    assert {"mailinator.com", "yopmail.com", "guerrillamail.com", "10minutemail.com"} <= IDENTITY.disposable_mail
    assert not {"gmail.com", "outlook.com", "yahoo.co.uk", "qq.com", "gmx.de", "icloud.com"} & IDENTITY.disposable_mail


def test_the_large_free_mail_providers_are_known() -> None:
    assert {"gmail.com", "outlook.com", "yahoo.co.uk", "qq.com", "gmx.de", "icloud.com"} <= IDENTITY.free_mail
