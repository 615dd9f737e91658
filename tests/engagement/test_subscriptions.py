"""What a webhooks file may say, and which tier changes a subscription wants."""

from typing import Any

import msgspec
import pytest
import yaml

from engagement.errors import Refused
from engagement.subscriptions import Subscription, Told, load_subscriptions, read_change

LEAST = {"name": "crm", "url": "https://hooks.example.com/mqa", "secret": "CRM_SECRET"}


def loaded(**more: Any) -> Subscription:
    (subscription,) = load_subscriptions(yaml.safe_dump({"subscriptions": [LEAST | more]}), "webhooks.yaml")
    return subscription


def refusal(*subscriptions: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refused:
        load_subscriptions(yaml.safe_dump({"subscriptions": list(subscriptions)}), "webhooks.yaml")
    return str(refused.value)


def told(**more: Any) -> Told:
    return msgspec.convert(
        {
            "id": "c-1",
            "account": "acme.com",
            "ladder": "stage",
            "from": "engaged",
            "to": "mqa",
            "direction": "promotion",
            "qualified": True,
            "reason": "signal",
            "effective_at": "2025-01-29T03:04:00.000Z",
            "segments": ["enterprise", "emea"],
            "owner": "liam.osei",
            **more,
        },
        Told,
    )


def test_without_filters_every_live_change_is_wanted() -> None:
    assert loaded().wants(told(), "live")
    assert loaded().wants(told(direction="demotion", reason="silence", qualified=False, segments=[], owner=None), "live")


@pytest.mark.parametrize(
    ("when", "other"),
    [
        ({"ladder": "stage"}, {"ladder": "tier"}),
        ({"to": "mqa"}, {"to": "opportunity"}),
        ({"to": ["accepted", "mqa"]}, {"to": "watch"}),
        ({"from": "engaged"}, {"from": "mqa"}),
        ({"direction": "promotion"}, {"direction": "demotion"}),
        ({"qualified": "true"}, {"qualified": False}),
        ({"segment": "emea"}, {"segments": ["enterprise"]}),
        ({"segment": ["apac", "emea"]}, {"segments": []}),
        ({"owner": ["ann", "liam.osei"]}, {"owner": None}),
    ],
)
def test_a_filter_takes_what_it_names_and_nothing_else(when: dict[str, Any], other: dict[str, Any]) -> None:
    subscription = loaded(when=when)
    assert subscription.wants(told(), "live")
    assert not subscription.wants(told(**other), "live")


def test_all_filters_must_take_a_change() -> None:
    subscription = loaded(when={"ladder": "stage", "to": "mqa", "owner": "ann"})
    assert subscription.wants(told(owner="ann"), "live")
    assert not subscription.wants(told(), "live")


def test_what_is_to_be_unqualified_must_not_be_qualified() -> None:
    assert not loaded(when={"qualified": "false"}).wants(told(), "live")
    assert loaded(when={"qualified": "false"}).wants(told(qualified=False), "live")


@pytest.mark.parametrize(("reason", "mode", "include"), [("restatement", "live", "restatements"), ("signal", "baseline", "baseline")])
def test_restatements_and_played_histories_must_be_asked_for(reason: str, mode: str, include: str) -> None:
    assert not loaded().wants(told(reason=reason), mode)
    assert loaded(include=[include]).wants(told(reason=reason), mode)
    assert loaded(include=include).wants(told(reason=reason), mode)


def test_a_restatement_in_a_played_history_must_be_asked_for_twice() -> None:
    change = told(reason="restatement")
    assert not loaded(include="baseline").wants(change, "baseline")
    assert loaded(include=["baseline", "restatements"]).wants(change, "baseline")


def test_a_mode_that_is_not_known_is_not_live() -> None:
    assert not loaded(include="restatements").wants(told(), "rehearsal")


def test_a_change_of_a_later_version_can_be_read() -> None:
    value = msgspec.json.encode({**msgspec.to_builtins(told()), "reason": "weather", "mood": {"of": "all"}})
    change = read_change(value)
    assert change is not None
    assert change.reason == "weather"


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"id": "c-1"}', b"\xff"])
def test_what_is_no_tier_change_is_none(value: bytes | None) -> None:
    assert read_change(value) is None


@pytest.mark.parametrize("identity", ["", "a.b", "a b", "a\n", "ä", "a" * 129])
def test_an_id_that_could_not_be_signed_makes_no_tier_change(identity: str) -> None:
    assert read_change(msgspec.json.encode(told(id=identity))) is None


def test_a_start_may_be_a_day() -> None:
    assert loaded(start="2025-01-31").start_at == 1_738_281_600_000
    assert loaded(start="beginning").start_at is None


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"url": "http://a.example/x"}, ".url = http://a.example/x is not encrypted; write https, or add allow_http: true"),
        ({"url": "https://10.0.0.1/"}, ".url = https://10.0.0.1/ is no public address; take another, or add allow_private: true"),
        ({"url": "https://[::1]/"}, ".url = https://[::1]/ is no public address; take another, or add allow_private: true"),
        ({"url": "https://localhost/"}, ".url = https://localhost/ is no public address; take another, or add allow_private: true"),
        ({"url": "https://u:p@a.example/"}, ".url names a user; remove it: receivers know us by the signature"),
        ({"url": "ftp://a.example/"}, ".url = ftp://a.example/ must be a URL; write it as https://hooks.example.com/mqa"),
        ({"url": "https://a.example:0/"}, ".url = https://a.example:0/ must be a URL; write it as https://hooks.example.com/mqa"),
        ({"url": "https://[::/"}, ".url = https://[::/ must be a URL; write it as https://hooks.example.com/mqa"),
        ({"name": "a b"}, ".name = a b must be a name of letters, digits, _ and -, a letter first; rename it"),
        ({"start": "soon"}, ".start = soon must be end, beginning or a day; write that as 2025-01-31"),
        ({"include": "replays"}, ".include[0] = replays must be 'restatements' or 'baseline'"),
        ({"at_once": "0"}, ".at_once = 0 would never send anything; write at least 1"),
        ({"retry": {"first": "2h"}}, ".retry.first = 7200s must not exceed longest = 3600s; lower it"),
        ({"when": {"rung": "mqa"}}, ".when.rung is no key known here; known: ladder, to, from, direction, qualified, segment, owner"),
    ],
)
def test_what_cannot_be_used_is_refused_with_place_value_and_remedy(more: dict[str, Any], complaint: str) -> None:
    assert refusal(LEAST | more) == f"webhooks.yaml: subscriptions[0]{complaint}"


def test_what_is_allowed_explicitly_is_not_refused() -> None:
    assert loaded(url="http://127.0.0.1:8080/x", allow_http="true", allow_private="true").allow_private


def test_two_of_one_name_are_refused() -> None:
    assert "subscriptions[1].name = crm stands here a second time" in refusal(LEAST, LEAST | {"url": "https://a.example/"})


@pytest.mark.parametrize("secret", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", ["A", "whsec_Mf"], {"env": "Mf+"}, "Mf+", ["Mf/"], []])
def test_a_secret_that_stands_in_the_file_is_refused_and_not_shown(secret: object) -> None:
    said = refusal(LEAST | {"secret": secret})
    assert said.startswith("webhooks.yaml: subscriptions[0].secret ")
    assert "Mf" not in said


@pytest.mark.parametrize("text", ["", "a", "[]", "subscriptions: []"])
def test_a_file_without_subscriptions_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"^webhooks\.yaml: "):
        load_subscriptions(text, "webhooks.yaml")
