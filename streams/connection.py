"""One description of how to reach Kafka. Every client is made here, and Faust is told here."""

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context

from engagement.errors import Refused
from streams.broker.state import read_state
from streams.closing import close_client
from streams.embedded_consumer import Consumer
from streams.secrets import read_secret

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\],;]+):([0-9]{1,5})")
_LAST_PORT = 65_535

ANSWER_SECONDS = 10.0
"""How long a command waits for a broker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the brokers are and how to prove who we are. Raises `Refused` where the parts do not fit together."""

    bootstrap: str  # host:port, several with commas between
    security_protocol: str = "PLAINTEXT"
    ssl_cafile: str | None = None  # None: the system's authorities
    ssl_certfile: str | None = None  # who we are, where the broker asks for a certificate
    ssl_keyfile: str | None = None  # its key; None: it stands in the certificate's file
    ssl_key_password: str | None = field(default=None, repr=False)
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    said_by: str = field(default="KAFKA_BOOTSTRAP", repr=False, compare=False)  # where the address comes from, for refusals

    def __post_init__(self) -> None:
        """Refuse what no client could use, with the name of the setting that says so."""
        if not all(map(_is_address, self.addresses)):
            msg = f"{self.said_by}: {self.bootstrap!r} is not host:port[,host:port...]; write it like 127.0.0.1:9092"
            raise Refused(msg)
        if self.security_protocol not in PROTOCOLS:
            msg = f"KAFKA_SECURITY_PROTOCOL: {self.security_protocol!r} is unknown; use one of {', '.join(PROTOCOLS)}"
            raise Refused(msg)
        if self.sasl_mechanism not in MECHANISMS:
            msg = f"KAFKA_SASL_MECHANISM: {self.sasl_mechanism!r} is unknown; use one of {', '.join(MECHANISMS)}"
            raise Refused(msg)
        if self._has_sasl and (self.sasl_username is None or self.sasl_password is None):
            msg = (
                f"KAFKA_SECURITY_PROTOCOL={self.security_protocol} needs a login; set KAFKA_SASL_USERNAME, and KAFKA_SASL_PASSWORD or "
                "KAFKA_SASL_PASSWORD_FILE"
            )
            raise Refused(msg)
        if self.ssl_keyfile is not None and self.ssl_certfile is None:
            msg = f"KAFKA_SSL_KEYFILE: {self.ssl_keyfile} is the key of no certificate; set KAFKA_SSL_CERTFILE too"
            raise Refused(msg)

    @classmethod
    def find(cls, bootstrap: str | None = None) -> "Connection":
        """``bootstrap``, else ``KAFKA_BOOTSTRAP``, else the broker that ``mqa broker start`` left running; else `Refused`.

        Security comes from ``KAFKA_SECURITY_PROTOCOL``, ``KAFKA_SASL_MECHANISM``, ``KAFKA_SASL_USERNAME``, ``KAFKA_SASL_PASSWORD``,
        ``KAFKA_SSL_CAFILE``, ``KAFKA_SSL_CERTFILE``, ``KAFKA_SSL_KEYFILE`` and ``KAFKA_SSL_KEY_PASSWORD``; the passwords may stand in files
        (`read_secret`). The local broker has none.
        """
        said_by, address = (
            ("KAFKA_BOOTSTRAP", os.environ.get("KAFKA_BOOTSTRAP") or None) if bootstrap is None else ("--bootstrap", bootstrap)
        )
        if address is not None:
            return cls(
                bootstrap=address,
                said_by=said_by,
                security_protocol=os.environ.get("KAFKA_SECURITY_PROTOCOL") or "PLAINTEXT",
                ssl_cafile=os.environ.get("KAFKA_SSL_CAFILE") or None,
                ssl_certfile=os.environ.get("KAFKA_SSL_CERTFILE") or None,
                ssl_keyfile=os.environ.get("KAFKA_SSL_KEYFILE") or None,
                ssl_key_password=read_secret("KAFKA_SSL_KEY_PASSWORD"),
                sasl_mechanism=os.environ.get("KAFKA_SASL_MECHANISM") or "PLAIN",
                sasl_username=os.environ.get("KAFKA_SASL_USERNAME"),
                sasl_password=read_secret("KAFKA_SASL_PASSWORD"),
            )
        local = read_state()
        if local is None:
            msg = "no Kafka broker is known; run `mqa broker start`, or set KAFKA_BOOTSTRAP=host:port (or pass --bootstrap)"
            raise Refused(msg)
        return cls(bootstrap=local.bootstrap)

    @property
    def addresses(self) -> list[str]:
        """``host:port`` of every bootstrap server."""
        return [address.strip() for address in self.bootstrap.split(",")]

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments for aiokafka's producer, consumer and admin client."""
        options: dict[str, Any] = {"bootstrap_servers": self.addresses, "security_protocol": self.security_protocol}
        if self._has_tls:
            options["ssl_context"] = self._tls()
        if self._has_sasl:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        return options

    def producer(self, **options: Any) -> AIOKafkaProducer:
        """Make a producer, not started."""
        return AIOKafkaProducer(**self.client_options(), **options)

    def consumer(self, **options: Any) -> AIOKafkaConsumer:
        """Make a consumer, not started."""
        return Consumer(**self.client_options(), **options)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """Open an admin client."""
        admin = AIOKafkaAdminClient(**self.client_options())
        try:
            await admin.start()
            yield admin
        finally:
            await close_client(admin.close())

    def faust_broker(self, scheme: str) -> str:
        """Faust's ``broker`` setting for the transport of that URL scheme."""
        return ";".join(f"{scheme}://{address}" for address in self.addresses)

    def faust_credentials(self) -> Any:
        """Faust's ``broker_credentials`` setting: None, ``SSLCredentials`` or ``SASLCredentials``."""
        from faust.auth import SASLCredentials, SSLCredentials  # noqa: PLC0415 - Faust reads sys.argv on import: only a worker imports it

        tls = self._tls() if self._has_tls else None
        if self._has_sasl:
            return SASLCredentials(username=self.sasl_username, password=self.sasl_password, mechanism=self.sasl_mechanism, ssl_context=tls)
        return None if tls is None else SSLCredentials(tls)

    async def wait_until_ready(self, seconds: float = ANSWER_SECONDS) -> None:
        """Return once a broker answers; `Refused` naming the address and the last error where none does within ``seconds``."""
        with overheard_clients() as said:
            try:
                async with asyncio.timeout(seconds):
                    while True:
                        try:
                            return await self._answers()
                        except (KafkaError, OSError):
                            await asyncio.sleep(0.1)
            except TimeoutError:
                pass
        msg = (
            f"no Kafka broker answered at {self.bootstrap} within {seconds:g} s ({said[-1] if said else 'silence'}); "
            f"check {self.said_by} (and KAFKA_SECURITY_PROTOCOL), or run `mqa broker start`"
        )
        raise Refused(msg)

    async def _answers(self) -> None:
        async with self.admin() as admin:
            await admin.list_topics()

    @property
    def _has_tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def _has_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    def _tls(self) -> Any:
        """Both sides are checked: the broker's certificate and its name by us, ours by the broker where it asks for one."""
        try:
            context = create_ssl_context(cafile=self.ssl_cafile)
        except OSError as error:  # ssl.SSLError is one
            msg = f"KAFKA_SSL_CAFILE: {self.ssl_cafile} cannot be read as PEM certificates ({error.strerror or error}); name a CA file"
            raise Refused(msg) from None
        if self.ssl_certfile is not None:
            try:  # without a password it would be asked for on the terminal
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, self.ssl_key_password or "")
            except OSError as error:
                key = "" if self.ssl_keyfile is None else f", KAFKA_SSL_KEYFILE: {self.ssl_keyfile}"
                msg = (
                    f"KAFKA_SSL_CERTFILE: {self.ssl_certfile}{key}: no PEM certificate and its key ({error.strerror or error}); name both "
                    "files, and set KAFKA_SSL_KEY_PASSWORD (or KAFKA_SSL_KEY_PASSWORD_FILE) where the key is encrypted"
                )
                raise Refused(msg) from None
        return context


def _is_address(address: str) -> bool:
    """Whether it is host:port, and the resolver would take the host."""
    parts = _ADDRESS.fullmatch(address)
    if parts is None or not 0 < int(parts[2]) <= _LAST_PORT:
        return False
    try:
        if parts[1].startswith("["):
            IPv6Address(parts[1][1:-1])
        else:
            parts[1].encode("idna")
    except ValueError:  # UnicodeError is one: a part of the name is empty or too long
        return False
    return True


@contextmanager
def overheard_clients() -> Iterator[list[str]]:
    """Keep what aiokafka logs instead of showing it: a refused try is no news, but the last one's reason is only said there."""
    said: list[str] = []
    logger = logging.getLogger("aiokafka")
    listener = _Listener(said)
    if not _as_it_was:
        _as_it_was.append((logger.propagate, logger.level))
        logger.propagate = False
        logger.setLevel(logging.WARNING)
    logger.addHandler(listener)
    try:
        yield said
    finally:
        logger.removeHandler(listener)
        if not any(isinstance(each, _Listener) for each in logger.handlers):  # several coroutines may listen at once, and stop in any order
            logger.propagate, level = _as_it_was.pop()
            logger.setLevel(level)


_as_it_was: list[tuple[bool, int]] = []  # of the logger, while anybody listens


class _Listener(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())
