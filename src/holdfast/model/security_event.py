"""What the edge did with a request, other than simply forward it: one event for each rule that had a say.

Law 1: an event is bounded by construction (`SecurityEvent.of`): whatever a client or a rule sends, its texts are cut to the
sizes below, and what follows them (a queue, a frame, a row) can count on MAX_EVENT_CHARS.
Law 2: its texts are such as any database takes: no NUL, no half of a surrogate pair.
Law 3: what a client sent is here as it came, escapes and all; who shows it makes it harmless.

Source: Cloudflare, "Security events" (sources and actions by the names of GraphQL's `firewallEventsAdaptive`), and ours:
`tls`, `redirect`, `websockets` and `routing` are what the edge itself refuses or sends elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, TypedDict, Unpack

import msgspec

from holdfast.model.request import Request

SOURCES = (
    "firewallCustom",
    "firewallManaged",
    "rateLimit",
    "ip",
    "ipRange",
    "asn",
    "country",
    "tls",
    "redirect",
    "websockets",
    "routing",
)
# `allow` is an access rule's, `refuse` the edge's own.
ACTIONS = (
    "allow",
    "block",
    "challenge",
    "js_challenge",
    "log",
    "managed_challenge",
    "redirect",
    "refuse",
    "skip",
)

# Longest of each text, in characters; what is longer ends in CUT. A host name has 253 (RFC 1035 §2.3.4), and may be one that
# is none. Precedent for the rest: Cloudflare's logs cut paths and user agents too, and say nothing of where.
MAX_HOST, MAX_PATH, MAX_QUERY, MAX_USER_AGENT = 255, 1024, 1024, 512
MAX_METHOD, MAX_ID, MAX_DESCRIPTION = 32, 64, 512
MAX_FIELDS, MAX_FIELD_NAME, MAX_FIELD_VALUE = 16, 128, 256
MAX_COMPONENTS = 64
CUT = "…"
# The ids are: ray, zone, rule, ruleset, ref, action, source, address, country, scheme.
MAX_EVENT_CHARS = (
    MAX_HOST
    + MAX_PATH
    + MAX_QUERY
    + MAX_USER_AGENT
    + MAX_METHOD
    + MAX_DESCRIPTION
    + 10 * MAX_ID
    + MAX_FIELDS * (MAX_FIELD_NAME + MAX_FIELD_VALUE)
    + MAX_COMPONENTS * MAX_ID
)


class More(TypedDict, total=False):
    """What may be known of an event besides its request; see `SecurityEvent`. `country` and `asn` are None where they are
    not known."""

    rule_id: str
    ruleset_id: str
    ref: str
    description: str
    country: str | None
    asn: int | None
    status: int
    fields: Sequence[tuple[str, str]]
    components: Sequence[str]
    score: int


class SecurityEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One rule, or one check of the edge's own, that had a say in what became of a request.

    `occurred_at` is Unix time in seconds. `source` is one of SOURCES, `action` one of ACTIONS: what was done, also where
    that is less than the rule asked for. `rule_id` "" where no rule of anybody's did it. `status` is that of the answer,
    0 where the request went on. `fields` are the names and values that a managed rule matched, `components` the ids of the
    rules whose scores made up `score`.
    """

    ray: str
    zone: str
    occurred_at: float
    action: str
    source: str
    rule_id: str = ""
    ruleset_id: str = ""
    ref: str = ""
    description: str = ""
    client_ip: str = ""
    country: str = ""
    asn: int = 0
    method: str = ""
    scheme: str = ""
    host: str = ""
    path: str = ""
    query: str = ""
    user_agent: str = ""
    is_upgrade: bool = False
    status: int = 0
    fields: tuple[tuple[str, str], ...] = ()
    components: tuple[str, ...] = ()
    score: int = 0

    @classmethod
    def of(cls, request: Request, *, zone: str, now: float, action: str, source: str, **more: Unpack[More]) -> Self:
        """The event of `request`, cut to size. Never raises."""
        return cls(
            ray=clean(request.ray, MAX_ID),
            zone=clean(zone, MAX_ID),
            occurred_at=now,
            action=clean(action, MAX_ID),
            source=clean(source, MAX_ID),
            rule_id=clean(more.get("rule_id", ""), MAX_ID),
            ruleset_id=clean(more.get("ruleset_id", ""), MAX_ID),
            ref=clean(more.get("ref", ""), MAX_ID),
            description=clean(more.get("description", ""), MAX_DESCRIPTION),
            client_ip=clean(request.client_ip, MAX_ID),
            country=clean(more.get("country") or "", MAX_ID),
            asn=more.get("asn") or 0,
            method=clean(request.method, MAX_METHOD),
            scheme=clean(request.scheme, MAX_ID),
            host=clean(request.host, MAX_HOST),
            path=clean(request.path, MAX_PATH),
            query=clean(request.query, MAX_QUERY),
            user_agent=user_agent_of(request),
            is_upgrade=request.is_upgrade,
            status=more.get("status", 0),
            fields=tuple(
                (clean(name, MAX_FIELD_NAME), clean(value, MAX_FIELD_VALUE))
                for name, value in more.get("fields", ())[:MAX_FIELDS]
            ),
            components=tuple(clean(one, MAX_ID) for one in more.get("components", ())[:MAX_COMPONENTS]),
            score=more.get("score", 0),
        )


def user_agent_of(request: Request) -> str:
    """The first `User-Agent` of a request, cut to size; "" where there is none."""
    for name, value in request.headers:
        if len(name) == len("user-agent") and name.lower() == "user-agent":
            return clean(value, MAX_USER_AGENT)
    return ""


def clean(text: str, longest: int) -> str:
    """`text` in at most `longest` characters (Law 1), and such as any database takes (Law 2)."""
    if len(text) > longest:
        text = text[: longest - 1] + CUT
    if text.isascii():
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
