"""What the API answers when it does not do what was asked: one table of codes.

Law 1: the status says whose turn it is (4xx: ask differently, 5xx: we failed); the code says what, for programs.
Law 2: `pointer` is a JSON pointer (RFC 6901) to the member of the request at fault, where there is one.

Codes and texts are those seen of Cloudflare; a code it does not have is ours, and stands at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Complaint:
    """One member of `errors`. `chain` holds (code, message) of what is behind it."""

    code: int
    message: str
    pointer: str | None = None
    chain: tuple[tuple[int, str], ...] = ()


@dataclass(eq=False)
class ApiFault(Exception):
    """An answer that is not success. `headers` go along."""

    status: int
    complaints: Sequence[Complaint]
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "; ".join(complaint.message for complaint in self.complaints)


# Longest JSON pointer that is said. One beyond it names members that no model has, of a body of megabytes.
_MAX_POINTER_CHARS = 500
# Complaints of one answer; beyond it the first ones. A client mends a few at a time.
MAX_COMPLAINTS = 20


def pointer_to(path: Sequence[str | int]) -> str | None:
    """The JSON pointer (RFC 6901) along `path`, "" to all there is; None where it would be too long to be said."""
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
    return pointer if len(pointer) <= _MAX_POINTER_CHARS else None


def fault(
    status: int, code: int, message: str, *, pointer: str | None = None, chain: tuple[tuple[int, str], ...] = ()
) -> ApiFault:
    """A fault of one complaint."""
    return ApiFault(status, (Complaint(code, message, pointer, chain),))


# RFC 9110 §15.5.2: a 401 says what would let in (RFC 6750 §3).
_CHALLENGE = {"WWW-Authenticate": "Bearer"}
# How much of a path is said back.
_MAX_PATH_CHARS = 300


def no_route(path: str) -> ApiFault:
    """Nothing is here: an unknown route, or an id that cannot be one. `path` is the request's."""
    shown = path[:_MAX_PATH_CHARS].encode("utf-8", "replace").decode()
    message = f"Could not route to {shown}, perhaps your object identifier is invalid?"
    return ApiFault(404, (Complaint(7003, message), Complaint(7000, "No route for that URI")))


def method_not_allowed(allowed: str) -> ApiFault:
    """The route exists, the method does not."""
    complaint = Complaint(10405, "Method not allowed for this authentication scheme or route")
    return ApiFault(405, (complaint,), {"Allow": allowed})


def missing_credentials() -> ApiFault:
    """No header of authentication came."""
    return fault(403, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")


def unknown_key() -> ApiFault:
    """X-Auth-Email and X-Auth-Key came: this API knows tokens only."""
    return fault(403, 9103, "Unknown X-Auth-Key or X-Auth-Email")


def malformed_authorization() -> ApiFault:
    """The Authorization header is not `Bearer <token>`."""
    chain = ((6111, "Invalid format for Authorization header"),)
    return fault(400, 6003, "Invalid request headers", chain=chain)


def authentication_failed() -> ApiFault:
    """The token is unknown, disabled, expired, not yet valid, or used from elsewhere."""
    return ApiFault(401, (Complaint(10000, "Authentication error"),), _CHALLENGE)


def invalid_token() -> ApiFault:
    """The same, where a token is verified."""
    return ApiFault(401, (Complaint(1000, "Invalid API Token"),), _CHALLENGE)


def not_permitted(permission: str) -> ApiFault:
    """The token lacks the permission."""
    chain = ((9109, f"the token lacks the permission {permission!r} here"),)
    return fault(403, 10000, "Authentication error", chain=chain)


def not_yours() -> ApiFault:
    """The resource is not among those of the token, or is not there: who may not see it must not learn which."""
    return fault(403, 9109, "Unauthorized to access requested resource")


def invalid(pointer: str, message: str, *, code: int = 1004) -> ApiFault:
    """A member of the request has a value it cannot have. `message` names it, and says what was expected."""
    return fault(400, code, message, pointer=pointer)


def not_found(what: str, *, code: int = 1001) -> ApiFault:
    """A thing with an id that could be one, which is not there (any more)."""
    return fault(404, code, f"Invalid {what} identifier: there is no such {what}")


def unavailable(reason: str) -> ApiFault:
    """The database is away: nothing was done."""
    return ApiFault(503, (Complaint(10503, f"The database is not available: {reason}"),), {"Retry-After": "2"})


def internal() -> ApiFault:
    """We failed, and wrote down how."""
    return fault(500, 10500, "Internal error: the reason is in the log of control")
