"""A real Kafka that lets nobody do anything unless it was allowed: TLS with logins on one port, TLS with certificates on another.

On its plain port everybody is its administrator, as the broker is there for itself.
"""

import socket
from pathlib import Path
from typing import IO

from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, AdminClient, ResourcePatternType, ResourceType

from streams.acls import Right
from streams.broker.kafka import Kafka
from streams.connection import Connection
from tests.certificates import Authority, make_authority, make_certificate

NAME = "localhost"


def password_of(user: str) -> str:
    return f"open sesame, {user}"


class SecuredKafka(Kafka):
    """See `streams.broker.kinds.Kind`. Users may log in before they have any right."""

    def __init__(self, folder: Path, users: tuple[str, ...]) -> None:
        """``folder``: for certificates."""
        self._users, self._folder = users, folder
        self.authority: Authority = make_authority(folder)
        certificate, key = make_certificate(folder, NAME, self.authority)
        self._keys = folder / "broker.pem"
        self._keys.write_text(key.read_text() + certificate.read_text())
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            self.login_port, self.certificate_port = one.getsockname()[1], other.getsockname()[1]

    def prepare(self, folder: Path, listener: int, other: int, log: IO[bytes]) -> list[str]:
        command = super().prepare(folder, listener, other, log)
        users = " ".join(f'user_{user}="{password_of(user)}"' for user in self._users)
        with (folder / "server.properties").open("a") as settings:  # of a key that stands twice, the last one counts
            settings.write(
                f"""
listeners=PLAINTEXT://127.0.0.1:{listener},CONTROLLER://127.0.0.1:{other},\
LOGIN://{NAME}:{self.login_port},CERTIFICATE://{NAME}:{self.certificate_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{listener},LOGIN://{NAME}:{self.login_port},CERTIFICATE://{NAME}:{self.certificate_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_SSL,CERTIFICATE:SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {users};
ssl.keystore.type=PEM
ssl.keystore.location={self._keys}
ssl.truststore.type=PEM
ssl.truststore.location={self.authority.certificate}
listener.name.certificate.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
            )
        return command

    def login(self, user: str) -> Connection:
        """How that user reaches it."""
        return Connection(
            bootstrap=f"{NAME}:{self.login_port}",
            security_protocol="SASL_SSL",
            ssl_cafile=str(self.authority.certificate),
            sasl_username=user,
            sasl_password=password_of(user),
        )

    def certificate(self, user: str, *, password: str | None = None) -> Connection:
        """How whoever has a certificate for this name reaches it, as ``User:CN=<name>``."""
        certificate, key = make_certificate(self._folder, user, self.authority, password=password)
        return Connection(
            bootstrap=f"{NAME}:{self.certificate_port}",
            security_protocol="SSL",
            ssl_cafile=str(self.authority.certificate),
            ssl_certfile=str(certificate),
            ssl_keyfile=str(key),
            ssl_key_password=password,
        )


class Administrator:
    """Whoever may do everything."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap})

    def allow(self, principal: str, rights: list[Right]) -> None:
        bindings = [
            AclBinding(
                ResourceType[right.resource.upper().replace("-", "_")],
                right.name,
                ResourcePatternType.PREFIXED if right.is_prefix else ResourcePatternType.LITERAL,
                principal,
                "*",
                AclOperation[_upper(operation)],
                AclPermissionType.ALLOW,
            )
            for right in rights
            for operation in right.operations
        ]
        for future in self._admin.create_acls(bindings, request_timeout=20).values():
            future.result()


def _upper(operation: str) -> str:
    """``DescribeConfigs`` -> ``DESCRIBE_CONFIGS``."""
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in operation).strip("_").upper()
