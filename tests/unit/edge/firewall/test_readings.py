"""What an expression looks at, for events: as many values as an event shows, and none that is not there."""

from holdfast.edge.firewall.readings import MAX_READINGS, readings_of, values_of
from holdfast.rules.context import EvaluationContext
from holdfast.rules.parser import parse
from tests.unit.requests import a_request


def test_values_are_those_that_are_there_and_may_be_shown() -> None:
    context = EvaluationContext(a_request(headers=[("X", "1"), ("x", "2"), ("Cookie", "session=s3cret")]))
    expression = (
        'http.host eq "a" or http.request.headers["none"][0] eq "x" or any(http.request.headers["x"][*] eq "x")'
        ' or http.cookie contains "a"'
    )
    assert values_of(readings_of(parse(expression)), context) == (
        ("http.host", "example.com"),
        ('http.request.headers["x"][*]', "1, 2"),
        ("http.cookie", "*** (14 characters)"),
    )


def test_there_is_a_bound_to_how_many() -> None:
    many = " or ".join(f'http.request.headers["h{number}"][0] eq "x"' for number in range(MAX_READINGS + 9))
    assert len(readings_of(parse(many))) == MAX_READINGS
