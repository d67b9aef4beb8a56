"""What control publishes of WebSockets: it costs nothing where nothing is set, and old bytes are read."""

import msgspec

from holdfast.model.websocket_documents import DirectionRates, MessageRuleDocument, RateLimits


def test_what_is_as_it_always_was_takes_no_bytes() -> None:
    assert msgspec.json.encode(RateLimits()) == b"{}"
    limits = RateLimits(to_origin=DirectionRates(messages_per_second=20), action="close")
    assert msgspec.json.encode(limits) == b'{"to_origin":{"messages_per_second":20},"action":"close"}'


def test_members_of_a_newer_control_are_passed_over() -> None:
    raw = b'{"to_client":{"bytes_per_second":5,"bytes_per_minute":9},"burst":2}'
    assert msgspec.json.decode(raw, type=RateLimits) == RateLimits(to_client=DirectionRates(bytes_per_second=5))


def test_a_message_rule_has_defaults_for_all_but_its_id() -> None:
    assert msgspec.json.decode(b'{"id":"1"}', type=MessageRuleDocument) == MessageRuleDocument(
        id="1", direction="to_origin", type="text", action="close", enabled=True
    )
