"""Signatures, verified by the convention's own library."""

from base64 import b64encode
from pathlib import Path
from time import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from engagement.errors import Refused
from streams.webhooks.example import example_message
from streams.webhooks.signature import read_signer

OLD, NEW = (f"whsec_{b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD", OLD)
    monkeypatch.setenv("NEW", NEW)


def test_a_receiver_with_the_secret_verifies_what_was_sent() -> None:
    message = example_message()
    headers = read_signer(["NEW"]).headers(message.id, int(time()), message.body)
    said = Webhook(NEW).verify(message.body, headers)
    assert said["data"]["account"] == "example.com"
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(message.body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(message.body + b" ", headers)


def test_while_a_secret_is_replaced_receivers_with_either_verify_it() -> None:
    headers = read_signer(["NEW", "OLD"]).headers("c-1", int(time()), b"{}")
    for secret in (NEW, OLD):
        Webhook(secret).verify(b"{}", headers)


def test_the_signature_is_the_conventions() -> None:
    headers = read_signer(["NEW"]).headers("c-1", 1_735_689_600, b"{}")
    assert headers["webhook-id"] == "c-1"
    assert headers["webhook-timestamp"] == "1735689600"
    assert headers["webhook-signature"] == "v1,g0BpbBMj+/Bt2RZ6CWwx2G4++BL3gkfMLqUVxXPxvu4="


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{OLD}\n")
    monkeypatch.setenv("FILED_FILE", str(tmp_path / "secret"))
    assert read_signer(["FILED"]).headers("c-1", 1, b"{}") == read_signer(["OLD"]).headers("c-1", 1, b"{}")


@pytest.mark.parametrize(("text", "why"), [("whsec_!", "is not base64"), ("whsec_c2hvcnQ=", "has 5 bytes, must have 24 to 64")])
def test_a_secret_that_is_none_is_refused_by_its_name_and_not_shown(monkeypatch: pytest.MonkeyPatch, text: str, why: str) -> None:
    monkeypatch.setenv("ODD", text)
    with pytest.raises(Refused, match=rf"^ODD: {why}.*; make one: `python -c ") as refused:
        read_signer(["ODD"])
    assert text.removeprefix("whsec_") not in str(refused.value).partition("; make one")[0]


def test_a_secret_that_is_not_set_is_refused_with_both_ways_to_set_it() -> None:
    with pytest.raises(Refused, match=r"^MISSING: is not set, and webhooks are signed with it; set it or MISSING_FILE"):
        read_signer(["MISSING"])
