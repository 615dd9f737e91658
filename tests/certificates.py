"""Certificates of a test's own, made by openssl: an authority, and what it vouches for."""

import subprocess
from pathlib import Path
from typing import NamedTuple

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


class Authority(NamedTuple):
    """PEM files."""

    certificate: Path
    key: Path


def make_authority(folder: Path) -> Authority:
    """One that nobody else knows."""
    certificate, key = folder / "authority.pem", folder / "authority.key"
    _openssl("req", "-x509", *_KEY, "-noenc", "-days", "2", "-subj", "/CN=authority of a test", "-keyout", key, "-out", certificate)
    return Authority(certificate, key)


def make_certificate(folder: Path, name: str, authority: Authority, *, password: str | None = None) -> tuple[Path, Path]:
    """Certificate and key (PKCS#8) of whoever has the DNS name ``name``; the key is encrypted where there is a ``password``."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    signed = ("-CA", authority.certificate, "-CAkey", authority.key, "-days", "2", "-addext", f"subjectAltName=DNS:{name}")
    hidden = ("-noenc",) if password is None else ("-passout", f"pass:{password}")
    _openssl("req", "-x509", *_KEY, *hidden, "-subj", f"/CN={name}", *signed, "-keyout", key, "-out", certificate)
    return certificate, key


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
