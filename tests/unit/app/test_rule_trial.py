"""An expression tried on this machine: by the rules' own evaluation, and refused in the original's words."""

import pytest

from holdfast.app.rule_trial import try_expression
from holdfast.client.verbs.rule import BadExpression
from holdfast.model.request_text import GivenRequest, request_from_url

GIVEN = GivenRequest(request_from_url("wss://example.com/chat", client_ip="203.0.113.7"), "NL", 64512)


@pytest.mark.parametrize(
    ("expression", "is_match"),
    [
        ('http.request.headers["upgrade"][0] eq "websocket"', True),
        ('ip.src.country eq "NL" and ip.src.asnum eq 64512', True),
        ('cf.zone.name eq "example.com" and http.request.timestamp.sec gt 1700000000', True),
        ("ip.src in {10.0.0.0/8}", False),
        ("true", True),
    ],
)
def test_an_expression_is_evaluated(expression: str, is_match: bool) -> None:
    assert try_expression(expression, GIVEN).is_match is is_match


def test_every_value_is_shown_and_what_is_missing_is_none() -> None:
    trial = try_expression('http.host eq "a" or http.request.headers["x"][0] eq "b"', GIVEN)
    assert trial.values == (("http.host", "example.com"), ('http.request.headers["x"][0]', None))


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ('http.hos eq "a"', 'Filter parsing error (1:1):\nhttp.hos eq "a"\n^^^^^^^^ unknown identifier'),
        ("ip.src in $office", "The list $office is not known here: with --zone, those of the zone's account are."),
    ],
)
def test_what_cannot_be_tried_is_said(expression: str, text: str) -> None:
    with pytest.raises(BadExpression) as error:
        try_expression(expression, GIVEN)
    assert str(error.value) == text


def test_what_would_take_too_long_is_undecided() -> None:
    letters = "".join("ab"[(n * n * 40_503 >> 7 ^ n * 2_654_435_761 >> 11) & 1] for n in range(16_000))
    given = GivenRequest(request_from_url(f"wss://example.com/?{letters}", client_ip="203.0.113.7"), "", 0)
    trial = try_expression('not http.request.uri.query matches "a.{300}c"', given)
    assert not trial.is_match
    assert trial.undecided == 'the pattern "a.{300}c" took too many steps on this value'
