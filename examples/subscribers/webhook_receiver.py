# ruff: noqa: INP001 - it is no part of a package
"""A receiver of mqa's webhooks: verifies them, and does its work once for each however often it comes. Python's standard library alone.

    WEBHOOK_SECRET=whsec_... python examples/subscribers/webhook_receiver.py --port 8081 --database received.db

The secret is the one that the subscription names. Put a TLS server in front: mqa sends to https unless it is told otherwise.
"""

import argparse
import hmac
import json
import os
import sqlite3
import time
from base64 import b64decode, b64encode
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOLERANCE_SECONDS = 300
LARGEST_BODY = 1 << 20

TABLES = """
CREATE TABLE IF NOT EXISTS seen (webhook_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS accounts (account TEXT, ladder TEXT, rung TEXT, changes INTEGER, PRIMARY KEY (account, ladder));
"""


class NotOurs(Exception):  # noqa: N818 - it reads as what the request is
    """The request was not signed with our secret, or not lately."""


def verify(secret: str, headers: Any, body: bytes, now: float) -> str:
    """Return the webhook's id. Raises `NotOurs`."""
    identity, signed_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (signed_at.isascii() and signed_at.isdigit()) or abs(now - int(signed_at)) > TOLERANCE_SECONDS:
        raise NotOurs
    key = b64decode(secret.removeprefix("whsec_"))
    expected = b64encode(hmac.digest(key, f"{identity}.{signed_at}.".encode() + body, "sha256"))
    for signature in headers.get("webhook-signature", "").split():  # several while a secret is being replaced
        version, _, value = signature.partition(",")
        if version == "v1" and hmac.compare_digest(value.encode(), expected):
            return str(identity)
    raise NotOurs


def take(database: str, identity: str, change: dict[str, Any]) -> None:
    """Do the work and remember the id, in one transaction: whatever is cut off in between is undone, and comes again."""
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        if connection.execute("INSERT OR IGNORE INTO seen VALUES (?)", (identity,)).rowcount == 0:
            return  # it came before; our answer got lost
        connection.execute(
            "INSERT INTO accounts VALUES (:account, :ladder, :to, 1) ON CONFLICT DO UPDATE SET rung = :to, changes = changes + 1",
            {name: change[name] for name in ("account", "ladder", "to")},
        )


class Handler(BaseHTTPRequestHandler):
    """Answers 204 for what it has, 401 for what is not ours; anything that goes wrong on the way is a 500, and mqa tries again."""

    timeout = 10  # seconds for a request to come in
    secret: str
    database: str

    def do_POST(self) -> None:
        """Take one webhook."""
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > LARGEST_BODY:
            self.send_error(413)
            return
        body = self.rfile.read(int(length))
        try:
            identity = verify(self.secret, self.headers, body, time.time())
        except NotOurs:
            self.send_error(401)
            return
        said = json.loads(body)
        if said["mode"] != "test":  # what `mqa webhooks test` sends
            take(self.database, identity, said["data"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of what goes well."""


def main() -> None:
    """Answer until it is stopped."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--database", default="received.db")
    options = parser.parse_args()
    Handler.secret, Handler.database = os.environ["WEBHOOK_SECRET"], options.database
    with closing(sqlite3.connect(options.database)) as connection:
        connection.executescript(TABLES)
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201 - it is a command
    server.serve_forever()


if __name__ == "__main__":
    main()
