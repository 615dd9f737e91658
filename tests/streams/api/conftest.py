"""One store with a simulated history for all tests of the API, which only read it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from streams.profiles.memory import MemoryStore
from streams.serve.app import create_app
from streams.serve.serving import Serving
from streams.serve.tokens import Tokens
from tests.streams.served import LETTERS, TOKENS, Told, filled_store

Client = Callable[..., httpx.AsyncClient]


@pytest.fixture(scope="session")
def store() -> MemoryStore:
    return asyncio.run(filled_store(accounts=40, days=45))


@pytest.fixture
def serving(store: MemoryStore) -> Serving:
    """With tokens, and with what stands in for Kafka."""
    return Serving(store=store, tokens=Tokens(TOKENS), letters=LETTERS, updates=Told(), rate=1_000_000)


@pytest.fixture
def client(serving: Serving) -> Client:
    """Makes clients: of a token, and of a server that differs in some of its parts."""

    def make(token: str | None = None, *, headers: dict[str, str] | None = None, **parts: Any) -> httpx.AsyncClient:
        app = create_app(replace(serving, **parts))
        sent = ({} if token is None else {"authorization": f"Bearer {token}"}) | (headers or {})
        return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://localhost", headers=sent)

    return make
