"""`SecurityEvent`: what is known of a request that a rule had a say in, in bounded texts."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.security_event import CUT, MAX_EVENT_CHARS, SecurityEvent, clean, user_agent_of
from tests.unit.requests import a_request

# Also what a client cannot send: NUL, and halves of surrogate pairs.
_TEXTS = st.text(st.characters(), max_size=3000)


def an_event(**changed: object) -> SecurityEvent:
    facts: dict[str, object] = {"zone": "0" * 32, "now": 1_700_000_000.5, "action": "block", "source": "firewallCustom"}
    return SecurityEvent.of(a_request(), **facts | changed)  # type: ignore[arg-type]


def _chars(event: SecurityEvent) -> int:
    texts = [value for name in event.__struct_fields__ if isinstance(value := getattr(event, name), str)]
    return sum(map(len, texts)) + sum(map(len, event.components)) + sum(len(a) + len(b) for a, b in event.fields)


def test_an_event_says_what_the_request_was() -> None:
    request = a_request(path="/a%20b", headers=[("USER-agent", "curl/8"), ("user-agent", "second")])
    request = msgspec.structs.replace(request, query="x=1")
    event = SecurityEvent.of(
        request, zone="z", now=1.5, action="log", source="ip", rule_id="r", country="NO", asn=64512, status=403
    )
    assert (event.ray, event.method, event.host, event.path, event.query) == (
        request.ray, request.method, request.host, "/a%20b", "x=1",
    )  # fmt: skip
    assert (event.user_agent, event.client_ip, event.is_upgrade) == ("curl/8", request.client_ip, request.is_upgrade)
    assert (event.country, event.asn, event.rule_id, event.status, event.occurred_at) == ("NO", 64512, "r", 403, 1.5)


def test_what_is_not_known_is_empty() -> None:
    event = an_event(country=None, asn=None)
    assert (event.country, event.asn, event.rule_id, event.fields, event.components) == ("", 0, "", (), ())
    assert user_agent_of(a_request(headers=[("Accept", "a")])) == ""


@given(text=_TEXTS, count=st.integers(0, 200))
def test_whatever_is_in_it_an_event_is_bounded_and_goes_through_the_link(text: str, count: int) -> None:
    names = ("ray", "method", "scheme", "host", "path", "query", "client_ip")
    request = msgspec.structs.replace(a_request(headers=[("User-Agent", text)]), **dict.fromkeys(names, text))
    event = SecurityEvent.of(
        request, zone=text, now=1.0, action=text, source=text, rule_id=text, ruleset_id=text, ref=text,
        description=text, country=text, fields=[(text, text)] * count, components=[text] * count,
    )  # fmt: skip
    assert _chars(event) <= MAX_EVENT_CHARS
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=SecurityEvent) == event


@given(text=_TEXTS, longest=st.integers(1, 300))
def test_a_clean_text_is_its_beginning_without_what_no_database_takes(text: str, longest: int) -> None:
    cleaned = clean(text, longest)
    assert len(cleaned) <= longest
    assert "\0" not in cleaned
    cleaned.encode()
    if len(text) > longest:
        assert cleaned.endswith(CUT)
    elif text.isascii() and "\0" not in text:
        assert cleaned == text
