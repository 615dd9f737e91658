"""Tokens, and the lines that say whose they are."""

from hashlib import sha256

import pytest
from click.testing import CliRunner

from engagement.errors import Refused
from streams.serve.command import serve
from streams.serve.tokens import Tokens

PLAIN = "a-token-that-is-long-enough"


def test_a_token_may_stand_as_itself_or_as_its_hash() -> None:
    hashed = f"sha256:{sha256(PLAIN.encode()).hexdigest()}"
    for line in (f"ann read,write {PLAIN}", f"\n# of ann\n  ann   read,write\t{hashed}\n\n"):
        caller = Tokens(line).caller(PLAIN)
        assert caller is not None
        assert (caller.name, sorted(caller.scopes)) == ("ann", ["read", "write"])


def test_a_hash_is_no_token() -> None:
    hashed = f"sha256:{sha256(PLAIN.encode()).hexdigest()}"
    assert Tokens(f"ann read {hashed}").caller(hashed) is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"ann {PLAIN}", "has 2 words"),
        (f"ann read, write {PLAIN}", "has 4 words"),
        (f"ann reads {PLAIN}", "scopes = 'reads': must be some of read, write, people"),
        (f"ann read,read {PLAIN}", "scopes"),
        (f"an/n read {PLAIN}", "its name must be"),
        ("ann read short", "its token must be sha256: and 64 hex digits"),
        ("ann read sha256:abc", "its token must be"),
    ],
)
def test_a_line_that_is_none_is_refused_by_number_and_without_its_token(line: str, says: str) -> None:
    with pytest.raises(Refused) as refusal:
        Tokens(f"# first\n{line}")
    assert str(refusal.value).startswith("MQA_API_TOKENS, line 2: ")
    assert says in str(refusal.value)
    assert line.rsplit(maxsplit=1)[-1] not in str(refusal.value).partition("; ")[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a b"], "NAME = 'a b': its name must be 1 to 64 letters, digits"),
        (["x", "--scopes", ""], "--scopes: scopes = '': must be some of read, write, people"),
        (["x", "--scopes", "read, write"], "--scopes: scopes = 'read, write': must be some of read, write, people"),
    ],
)
def test_mqa_serve_token_refuses_what_it_was_given_by_its_name(arguments: list[str], says: str) -> None:
    with pytest.raises(Refused) as refusal:
        CliRunner().invoke(serve, ["token", *arguments], catch_exceptions=False)
    assert str(refusal.value).startswith(says)


def test_mqa_serve_token_prints_the_token_once_and_a_line_that_lets_it_in() -> None:
    outcome = CliRunner().invoke(serve, ["token", "alice", "--scopes", "read,people"], catch_exceptions=False)
    token = outcome.stderr.rpartition(" ")[2].strip()
    assert token not in outcome.stdout
    caller = Tokens(outcome.stdout).caller(token)
    assert caller is not None
    assert (caller.name, sorted(caller.scopes)) == ("alice", ["people", "read"])
