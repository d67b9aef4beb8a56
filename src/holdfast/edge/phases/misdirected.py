"""Refuse a request that came over a connection made for another zone (RFC 9110 §15.5.20).

Whoever chose the certificate by one zone's name must not reach another zone: what one zone asks of TLS would not hold
for the other. Names of one zone may share a connection (RFC 9113 §9.1.1), and a client need not name any (RFC 6066 §3).
"""

from __future__ import annotations

from holdfast.edge.answers import refuse
from holdfast.edge.decision import Decision
from holdfast.edge.view import NO_ZONE, View
from holdfast.edge.zone import TlsSettings
from holdfast.model.request import Request, TlsFacts

# What a handshake calls the suites (RFC 5289, RFC 7905) that settings name as OpenSSL does.
_IANA_NAMES = {
    f"ECDHE-{key}-{ours}": f"TLS_ECDHE_{key}_WITH_{theirs}"
    for key in ("ECDSA", "RSA")
    for ours, theirs in (
        ("AES128-GCM-SHA256", "AES_128_GCM_SHA256"),
        ("AES256-GCM-SHA384", "AES_256_GCM_SHA384"),
        ("CHACHA20-POLY1305", "CHACHA20_POLY1305_SHA256"),
    )
}


def misdirected(request: Request, view: View) -> Decision | None:
    """A Host of another zone than that of the name the TLS handshake asked for is refused; so is one whose zone asks for
    more than a handshake that named another host, or none, has settled on."""
    if request.tls is None:
        return None
    reason = ""
    if view.zone.tls is not None and request.version == "HTTP/2" and not view.zone.tls.http2:
        reason = "The zone of this host name does not take HTTP/2."
    elif view.zone.tls is not None and not _is_enough(request.tls, view.zone.tls):
        reason = (
            "The connection was made with a version or ciphers of TLS that the zone of this host name does not take."
        )
    elif request.tls.server_name not in ("", request.host) and not _is_of_zone(request.tls.server_name, view):
        reason = "The connection was made for a host name of another zone."
    return refuse(request, status=421, code=421, reason=reason, now=view.now) if reason else None


def _is_enough(settled: TlsFacts, wanted: TlsSettings) -> bool:
    """Whether a handshake for whatever name has settled on what the zone takes."""
    if not f"TLSv{wanted.min_version}" <= settled.version <= f"TLSv{wanted.max_version}":
        return False
    if settled.version != "TLSv1.2" or not wanted.ciphers:
        return True
    return settled.cipher in {_IANA_NAMES[cipher] for cipher in wanted.ciphers}


def _is_of_zone(server_name: str, view: View) -> bool:
    name = server_name.lower().removesuffix(".")
    return _is_address(name) or (view.snapshot.zone_of(name) or NO_ZONE) is view.zone


def _is_address(name: str) -> bool:
    # RFC 6066 §3 forbids addresses as names; clients that send one all the same mean none. RFC 1123 §2.1: no name
    # ends in a number.
    return ":" in name or name.rpartition(".")[2].isdigit()
