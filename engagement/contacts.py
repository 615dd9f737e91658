"""Contact lists: which account says that a person is one of its people.

The topic ``contacts`` holds them by person (`engagement.identity.Identity.person`), the newest row counting; a row without a value: the
person was forgotten. It is the one permanent place with names and addresses in clear, and `mqa forget` deletes them. Intake writes a
row for each contact of an account update, and asks here whose an address is that its domain says nothing of.

A person is one account's: the one whose list named them last. Partitions of intake learn of each other's rows a moment after they are
committed; what was read before that is not decided again.
"""

import sys
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from engagement.events import AccountUpdate
from engagement.identity import Identity, normalize_email
from engagement.machine import Output

CONTACTS = "contacts"


class ContactRow(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What a row holds beside its key, the person."""

    email: Annotated[str, Meta(description="Normalized.")]
    account: Annotated[str, Meta(description="Domain of the account whose list named the person last.")]
    name: Annotated[str | None, Meta(description="As the list has it.")] = None
    role: Annotated[str | None, Meta(description="As the list has it.")] = None


class Contacts:
    """The account of each person, as far as the topic was read."""

    def __init__(self) -> None:
        self._accounts: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._accounts)

    def account_of(self, person: str) -> str | None:
        """None for one on no list."""
        return self._accounts.get(person)

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take a row of the topic, in order. What is no row (somebody else wrote there) says nothing."""
        person = (key or b"").decode(errors="replace")
        if value is None:
            self._accounts.pop(person, None)
            return
        row = read_contact(value)
        if row is not None:
            self._accounts[person] = sys.intern(row.account)  # many people of few accounts


def read_contact(value: bytes) -> ContactRow | None:
    """Read a row; None for what is none."""
    try:
        return _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def contact_rows(update: AccountUpdate, account: str, identity: Identity) -> Iterator[Output]:
    """A row for each contact that ``update`` names of ``account``; one that it has under the key that is being replaced goes.

    Addresses must have been found good.
    """
    for contact in update.contacts or ():
        email = normalize_email(contact.email, identity.host)
        assert email is not None, "an update with a bad address is dead"
        row = ContactRow(email=email, account=account, name=contact.name, role=contact.role)
        for person, value in ((identity.person(email), _encode(row)), (identity.was(email), None)):
            if person is not None:
                key = person.encode()
                yield Output(CONTACTS, key, value, identity.partition_of(key))


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ContactRow).decode
