"""What the scripts beside `redis_store.py` are told, and how what they keep is read.

A *facet* is what many accounts share, by which they are listed and counted: ``all``, ``rung:stage:mqa``, ``segment:payments``,
``owner:ann``.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from engagement.profile import Profile
from streams.profiles.listing import AHEAD, MOST_SCORE, by_change, by_score, last_change, owner_of, place_after, texts
from streams.profiles.store import (
    KEPT_CHANGES,
    KEPT_CHANGES_OF_PARTITION,
    KEPT_DAYS,
    Account,
    Batch,
    Change,
    LastChange,
    Listed,
    Mark,
    Overview,
    Query,
)

FORMAT = 2
"""Stands in every key, so that no program reads what another wrote differently. It rises with what is said here, and with `Profile`."""

TEXT_BLOCKS = 256
"""In so many strings lie the texts of all accounts, see text.lua."""

BETWEEN, END = b"\xff", b"\xfe"
"""Stand in no UTF-8, and behind all of it: between an account's texts, and behind them. So no text is found across a border."""

ALL = "all"
_UNCHANGED = by_change(None).decode()

_pack = msgspec.msgpack.Encoder().encode
_write = msgspec.json.Encoder().encode
_read_moves = msgspec.json.Decoder(dict[str, int]).decode
_read_profile = msgspec.json.Decoder(Profile).decode
_read_last_change = msgspec.json.Decoder(LastChange).decode
read_mark = msgspec.json.Decoder(Mark).decode


class _Standing(msgspec.Struct, kw_only=True, frozen=True):
    """What is read of an account's standing, see `_standing`."""

    applied: int
    partition: str


_read_standing = msgspec.msgpack.Decoder(_Standing).decode


def _string(value: bytes) -> msgspec.Raw:
    """Bytes as Lua's msgpack reads them: as a string, whatever they are; it knows no others."""
    return msgspec.Raw(struct.pack(">BI", 0xDB, len(value)) + value)


def packed_batch(batch: Batch) -> bytes:
    """Tell write.lua a batch."""
    told: dict[str, Any] = {
        "source": batch.source,
        "start": batch.start,
        "stop": batch.stop,
        "accounts": [(*_profiled(account), _string(account.row)) for account in batch.accounts],
        "gone": batch.gone,
        "contacts": {person: _string(row) for person, row in batch.contacts.items() if row is not None},
        "forgotten": [person for person, row in batch.contacts.items() if row is None],
        "rulebooks": batch.rulebooks,
    }
    if batch.source.startswith("tier-changes/"):
        told |= {
            "changes": [_changed(batch.partition, account, change) for account, change in batch.changes],
            "first": batch.first,
            "kept_of_account": KEPT_CHANGES,
            "kept_of_partition": KEPT_CHANGES_OF_PARTITION,
            "kept_days": KEPT_DAYS,
        }
    return _pack(told | _of_partition(batch.partition, batch.mark))


def packed_refreshment(partition: int, accounts: Sequence[Account], mark: Mark | None) -> bytes:
    """Tell write.lua profiles that are written anew."""
    return _pack({"accounts": [_profiled(account) for account in accounts]} | _of_partition(partition, mark))


def _of_partition(partition: int, mark: Mark | None) -> dict[str, Any]:
    told = {"partition": str(partition), "unchanged": _UNCHANGED}
    return told if mark is None else told | {"mark": _string(_write(mark))}


def _profiled(account: Account) -> tuple[object, ...]:
    return account.profile.account, _string(_pack(_standing(account))), _string(_write(account.profile))


def _standing(account: Account) -> dict[str, Any]:
    """Tell an account's version, and as what it is listed: so it is taken out of the lists in which it no longer belongs."""
    profile = account.profile
    name = profile.account.encode()
    return {
        "applied": account.applied,
        "day": profile.day,
        "partition": str(account.partition),
        "score": by_score(profile.score).decode(),
        "block": zlib.crc32(name) % TEXT_BLOCKS,
        "text": _string(BETWEEN.join((*(text.encode() for text in texts(profile)), name)) + END),
        "facets": [ALL, *_rungs(profile.rungs), *(f"segment:{segment}" for segment in profile.segments), f"owner:{owner_of(profile)}"],
    }


def _changed(partition: int, account: str, change: Change) -> tuple[object, ...]:
    shown = last_change(change)
    return (
        account,
        str(change.offset),
        f"{partition}/{change.offset}",
        _string(f"{change.mode}\n".encode() + change.body),
        by_change(shown.effective_at).decode(),
        _string(_write(shown)),
        shown.effective_at[:10],
        f"{shown.ladder}|{shown.from_}|{shown.to}",
    )


def _rungs(rungs: Mapping[str, str]) -> Iterator[str]:
    return (f"rung:{ladder}:{rung}" for ladder, rung in rungs.items())


def packed_query(query: Query, most: int) -> bytes:
    """Tell find.lua a list's conditions but the text; it looks at ``most`` accounts at most. Raises `Refused`, see `place_after`."""
    facets = [*_rungs(query.rungs)]
    if query.segment is not None:
        facets.append(f"segment:{query.segment}")
    if query.owner is not None:
        facets.append(f"owner:{query.owner}")
    highest = by_score(MOST_SCORE if query.most_score is None else query.most_score)
    lowest = by_score(0 if query.least_score is None else query.least_score)
    oldest = by_change(query.changed_since)
    after = place_after(query) or b""
    first, last = (highest, lowest) if query.order == "score" else (b"", oldest)
    told: dict[str, Any] = {
        "order": query.order,
        "facets": facets or [ALL],
        "from": _string(b"(" + after if after > first else b"[" + first),
        "to": _string(b"(" + last + BETWEEN),
        "limit": query.limit,
        "most": most,
        "ahead": AHEAD[query.order],
    }
    if query.order == "score" and query.changed_since is not None:
        told["oldest"] = oldest.decode()
    if query.order == "changed" and (query.least_score, query.most_score) != (None, None):
        told |= {"highest": highest.decode(), "lowest": lowest.decode()}
    return _pack(told)


def read_account(standing: bytes, profile: bytes, row: bytes) -> Account:
    """An account as it was given."""
    kept = _read_standing(standing)
    return Account(profile=_read_profile(profile), row=row, applied=kept.applied, partition=int(kept.partition))


def read_listed(profile: bytes, change: bytes | None) -> Listed:
    """An account as lists show it."""
    return Listed(profile=_read_profile(profile), last_change=None if change is None else _read_last_change(change[len(_UNCHANGED) :]))


def read_change(member: bytes, body: bytes) -> Change:
    """A tier change of a partition, or of a timeline."""
    mode, _, sent = body.partition(b"\n")
    return Change(offset=int(member.partition(b" ")[0].partition(b"/")[2]), mode=mode.decode(), body=sent)


def read_overview(counts: Mapping[bytes, bytes], moves: Mapping[bytes, bytes]) -> Overview:
    """All accounts in numbers."""
    rungs: dict[str, dict[str, int]] = {}
    others: dict[str, dict[str, int]] = {"segment": {}, "owner": {}}
    accounts = 0
    for facet, count in counts.items():
        kind, _, name = facet.decode().partition(":")
        if kind == ALL:
            accounts = int(count)
        elif kind == "rung":
            ladder, _, rung = name.partition(":")
            rungs.setdefault(ladder, {})[rung] = int(count)
        else:
            others[kind][name] = int(count)
    return Overview(
        accounts=accounts,
        rungs=rungs,
        segments=others["segment"],
        owners=others["owner"],
        moves={day.decode(): _read_moves(counted) for day, counted in moves.items()},
    )
