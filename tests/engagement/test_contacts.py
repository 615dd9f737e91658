"""A contact list says whose somebody is whose address says nothing."""

import json
from dataclasses import replace

from engagement.contacts import Contacts
from engagement.events import Family
from engagement.identity import person_hasher
from engagement.intake import Intake
from engagement.machine import Output
from tests.engagement.intake_world import IDENTITY, entries, intent, new_intake, record, run, update

ANN = "ann.lee@gmail.example"
PERSON = IDENTITY.person(ANN)


def listing(*contacts: dict[str, str], **said: object) -> bytes:
    return update(id="crm", contacts=list(contacts), **said)


def rows_of(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if output.topic == "contacts"]


def knowing(contacts: Contacts) -> Intake:
    return new_intake(identity=replace(IDENTITY, contact=contacts.account_of))


def accounts_of(intake: Intake, value: bytes) -> list[tuple[str, str | None, int | None]]:
    outputs = run(intake, [record(Family.INTENT_SIGNALS, value)])
    return [(account, entry.method, entry.confidence) for account, entry in entries(outputs)]  # type: ignore[union-attr]  # signals


def test_an_update_writes_a_row_for_each_contact_under_the_person_and_in_their_partition() -> None:
    contacts = [{"email": " Ann.Lee@gmail.example ", "name": "Ann Lee", "role": "vp"}, {"email": "joe@acme.example"}]
    first, second = rows_of(run(new_intake(), [record(Family.ACCOUNT_UPDATES, listing(*contacts, account="WWW.acme.test."))]))
    assert (first.key, first.partition) == (PERSON.encode(), IDENTITY.partition_of(PERSON.encode()))
    assert json.loads(first.value or b"") == {"email": ANN, "account": "acme.example", "name": "Ann Lee", "role": "vp"}
    assert json.loads(second.value or b"") == {"email": "joe@acme.example", "account": "acme.example"}


def test_the_log_holds_no_name_and_no_address_of_them() -> None:
    outputs = run(new_intake(), [record(Family.ACCOUNT_UPDATES, listing({"email": ANN, "name": "Ann Lee"}))])
    (entry,) = (output for output in outputs if output.topic == "account-log")
    assert b"Lee" not in (entry.value or b"")
    assert b"ann.lee" not in (entry.value or b"")


def test_an_update_that_is_dead_or_filtered_writes_none() -> None:
    for said in ({"account": "us.example"}, {"account": "localhost"}, {"pin": {"ladder": "none", "rung": None}}):
        outputs = run(new_intake(), [record(Family.ACCOUNT_UPDATES, listing({"email": ANN}, **said))])
        assert rows_of(outputs) == []


def test_somebody_on_a_list_is_of_that_account_whatever_the_address() -> None:
    contacts = Contacts()
    assert accounts_of(knowing(contacts), intent(email=ANN)) == []
    contacts.take(PERSON.encode(), b'{"email": "ann.lee@gmail.example", "account": "beta.example"}')
    assert accounts_of(knowing(contacts), intent(email=ANN)) == [("beta.example", "contact", 95)]


def test_of_two_lists_the_last_counts_and_who_is_forgotten_is_on_none() -> None:
    contacts = Contacts()
    for account in ("beta.example", "gamma.example"):
        contacts.take(PERSON.encode(), b'{"email": "%s", "account": "%s"}' % (ANN.encode(), account.encode()))
    assert contacts.account_of(PERSON) == "gamma.example"
    contacts.take(PERSON.encode(), None)
    assert (contacts.account_of(PERSON), len(contacts)) == (None, 0)


def test_what_strayed_into_the_topic_says_nothing() -> None:
    contacts = Contacts()
    for value in (b"", b"{}", b"\xff", b"[1]", b'{"account": 1}'):
        contacts.take(b"k1.0", value)
    contacts.take(None, None)
    assert len(contacts) == 0


def test_while_a_key_is_replaced_a_contact_is_listed_under_the_new_one_and_known_under_both() -> None:
    new = replace(IDENTITY, person=person_hasher(b"other", "k2"), key_id="k2", person_before=IDENTITY.person)
    first, second = rows_of(run(new_intake(identity=new), [record(Family.ACCOUNT_UPDATES, listing({"email": ANN}))]))
    assert (first.key, second.key, second.value) == (new.person(ANN).encode(), PERSON.encode(), None)
    contacts = Contacts()
    contacts.take(PERSON.encode(), b'{"email": "ann.lee@gmail.example", "account": "beta.example"}')
    intake = new_intake(identity=replace(new, contact=contacts.account_of))
    assert accounts_of(intake, intent(email=ANN)) == [("beta.example", "contact", 95)]
