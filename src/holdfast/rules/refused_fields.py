"""Fields that the original knows and this edge cannot know, with the reason that a person is told.

Law 1: a name is here or in `scheme.FIELDS`, never in both; a name that is in neither is simply unknown.
Law 2: families are by prefix, so that a field added to one tomorrow is refused with the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# By the beginning of the name. A prefix ends with "." (everything below it) or is a whole name.
REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "cf.api_gateway.": "API schemas are not validated here",
        "cf.bot_management.": "bots are not scored here",
        "cf.client.bot": "bots are not identified here",
        "cf.colo.": "it is for rate limiting characteristics only",
        "cf.edge.l4.": "the connection's delivery rate is not measured here",
        "cf.hostname.metadata": "hostnames have no metadata here",
        "cf.llm.": "prompts are not inspected here",
        "cf.response.": "rules are evaluated before there is a response",
        "cf.threat_score": "threats are not scored here",
        "cf.timings.": "timings are not known when rules are evaluated",
        "cf.tls_ciphers_sha1": "the client's TLS hello is not kept",
        "cf.tls_client_auth.": "client certificates are not asked for",
        "cf.tls_client_extensions_sha1": "the client's TLS hello is not kept",
        "cf.tls_client_extensions_sha1_le": "the client's TLS hello is not kept",
        "cf.tls_client_hello_length": "the client's TLS hello is not kept",
        "cf.tls_client_random": "the client's TLS hello is not kept",
        "cf.unique_visitor_id": "it is for rate limiting characteristics only",
        "cf.verified_bot_category": "bots are not identified here",
        "cf.waf.": "requests are not scored here",
        "http.request.body.": "rules are evaluated before the body is read",
        "http.request.jwt.": "tokens are not validated here",
        "http.response.": "rules are evaluated before there is a response",
        "raw.http.response.": "rules are evaluated before there is a response",
    }
)


def refusal_of(name: str) -> str | None:
    """Why the field is not known here, None if it is not one of the original's."""
    if name in REFUSED:
        return REFUSED[name]
    families = (name[: place + 1] for place, char in enumerate(name) if char == ".")
    return next((REFUSED[family] for family in families if family in REFUSED), None)
