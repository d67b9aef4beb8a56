"""The header fields a request carries to its origin because it came through an edge.

Law 1: what the edge says about a client cannot be said by the client. Every field in the edge's name space is set by us
or removed, however its name is spelled: in any case, and with "_" for "-", which CGI, WSGI and their like cannot tell
apart (RFC 3875 §4.1.18 turns both into HTTP_CF_CONNECTING_IP).
Law 2: two fields are the work of every hop before us and are extended, never replaced: `X-Forwarded-For` and `CDN-Loop`.
Law 3: other forwarding fields (`Forwarded`, `X-Real-IP`, `X-Forwarded-Host`) are the client's word, and pass as such.

Names and values follow Cloudflare's "HTTP headers" reference; `CDN-Loop` follows RFC 8586.
"""

from __future__ import annotations

from holdfast.model.request import Request

# Our cdn-id (RFC 8586 §2: a pseudonym). The instance tells two Holdfasts in a row from one that meets itself.
CDN_ID = "holdfast"

_SET_BY_US = frozenset({"cf-connecting-ip", "cf-ray", "cf-visitor", "x-forwarded-proto"})
_EXTENDED_BY_US = frozenset({"x-forwarded-for", "cdn-loop"})
_OURS_OUTSIDE_CF = frozenset({"true-client-ip"})
# Client credentials for a service behind us that speaks Cloudflare Access; they are the client's to send.
_CLIENTS_IN_CF = frozenset({"cf-access-client-id", "cf-access-client-secret", "cf-access-token"})

_SCHEME_HEADERS = {
    scheme: (("X-Forwarded-Proto", scheme), ("CF-Visitor", f'{{"scheme":"{scheme}"}}')) for scheme in ("http", "https")
}


def loop_member(instance: str) -> str:
    """Our member of `CDN-Loop`: `holdfast;instance=<instance>`. `instance` is a token (RFC 9110 §5.6.2)."""
    return f"{CDN_ID};instance={instance}"


def origin_headers(request: Request, member: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What to set on the request to the origin, and which of the client's fields to leave out.

    `member` is ours of `CDN-Loop`, from `loop_member`, "" where the request does not leave this machine. The names to leave out are spelled as the client spelled them.
    """
    forwarded_for = cdn_loop = ""
    removed: list[str] = []
    for name, value in request.headers:
        # The first letter decides for nearly every field of a real request: c(dn-, f-), t(rue-), x(-forwarded-).
        if name[:1] not in "cCtTxX":
            continue
        key = name.lower()
        if key == "x-forwarded-for":
            forwarded_for = _joined(forwarded_for, value)
        elif key == "cdn-loop":
            cdn_loop = _joined(cdn_loop, value)
        elif _is_ours(key):
            removed.append(name)
    set_headers = (
        ("CF-Connecting-IP", request.client_ip),
        ("X-Forwarded-For", _joined(forwarded_for, request.client_ip)),
        *_SCHEME_HEADERS[request.scheme],
        ("CF-Ray", request.ray),
    )
    loop = _joined(cdn_loop, member)
    return (*set_headers, ("CDN-Loop", loop)) if loop else set_headers, tuple(removed)


def is_loop(request: Request, member: str) -> bool:
    """Whether this request has been through this very instance before (RFC 8586 §2).

    Members are split at every comma, quoted or not: ours has neither commas nor quotes, so no quoted string that a
    client opens, and does not close, can hide it.
    """
    for name, value in request.headers:
        if len(name) == len("cdn-loop") and name.lower() == "cdn-loop" and _has_member(value, member):
            return True
    return False


def _has_member(value: str, member: str) -> bool:
    # Hops may respell optional white space and case; a pseudonym and our instance (hexadecimal) survive both.
    return any("".join(part.split()).lower() == member for part in value.split(","))


def _is_ours(key: str) -> bool:
    """Whether the field `key` (lower case) is the edge's to say, so that a client's is left out."""
    name = key.replace("_", "-")
    if name.startswith("cf-"):
        return key not in _CLIENTS_IN_CF and key not in _SET_BY_US
    if name in _OURS_OUTSIDE_CF:
        return True
    # Spelled as we spell it, the core replaces it by ours. Spelled with "_" it would stand beside ours.
    return key != name and (name in _SET_BY_US or name in _EXTENDED_BY_US)


def _joined(values: str, value: str) -> str:
    """Two lists as one (RFC 9110 §5.3); an empty list adds no empty member."""
    value = value.strip(" \t")
    return f"{values},{value}" if values and value else values or value
