"""Certificates of a server and its clients, signed by an authority of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose, NameOID

from napari_ssp.service.compute.bundle import Identity
from napari_ssp.service.compute.entry import SERVER_NAME

if TYPE_CHECKING:
    from cryptography.x509.oid import ObjectIdentifier

#: Days that certificates are good for.
DAYS = 365
# Clocks of two computers differ.
_EARLIER = timedelta(minutes=10)


def find_expiry(certificate: str) -> datetime:
    """When a certificate, as PEM, ends, in UTC."""
    found: datetime = x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc
    return found


def make_identities(
    days: float = DAYS, client_days: float | None = None
) -> tuple[Identity, Identity]:
    """Make identities of a server and of its clients, which believe each other and nobody else.

    Nobody can sign further ones: the key of their authority is forgotten at once.

    Parameters
    ----------
    days : float
        How long they are good for, from now on.
    client_days : float or None
        How long that of the clients is; None is as long.
    """
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("napari-ssp authority")
    builder = _begin(name, name, key, days)
    signs = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    authority = builder.add_extension(signs, critical=True).sign(key, hashes.SHA256())
    # A client's certificate does not serve a server: who holds one cannot pose as that.
    server = _sign("server", (Purpose.SERVER_AUTH, Purpose.CLIENT_AUTH), authority, key, days)
    ends = days if client_days is None else client_days
    return server, _sign("client", (Purpose.CLIENT_AUTH,), authority, key, ends)


def _sign(
    role: str,
    purposes: tuple[ObjectIdentifier, ...],
    authority: x509.Certificate,
    signing: ec.EllipticCurvePrivateKey,
    days: float,
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _begin(_name(f"napari-ssp {role}"), authority.subject, key, days)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
    builder = (
        builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(issuer, critical=False)
    )
    if Purpose.SERVER_AUTH in purposes:
        named = x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)])
        builder = builder.add_extension(named, critical=False)
    own = builder.sign(signing, hashes.SHA256())
    return Identity(_pem(authority), _pem(own), _key_pem(key))


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: float
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    end = now + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, end) - _EARLIER)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return bytes(certificate.public_bytes(Encoding.PEM)).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())).decode()
