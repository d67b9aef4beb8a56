"""What `--origin` means, as the bodies of the API's calls."""

import pytest

from holdfast.client.verbs.origin_plan import origin_plan
from holdfast.errors import UsageError
from holdfast.model.origin_url import OriginUrl


def _plan(origin: str, *, is_insecure: bool = False, host_header: str | None = None) -> tuple[str, str, object, str]:
    """(type and content of the records, action_parameters, ssl) of `example.com` with this origin."""
    plan = origin_plan("example.com", OriginUrl.parse(origin), is_insecure=is_insecure, host_header=host_header)
    (rule,) = plan.rules
    kinds = {(str(record["type"]), str(record["content"])) for record in plan.records}
    ((kind, content),) = kinds
    return kind, content, rule["action_parameters"], plan.ssl


@pytest.mark.parametrize(
    ("origin", "kind", "content", "parameters", "ssl"),
    [
        ("https://10.0.0.5:8443", "A", "10.0.0.5", {"origin": {"port": 8443}}, "strict"),
        ("https://[2001:db8::1]", "AAAA", "2001:db8::1", {"origin": {"port": 443}}, "strict"),
        ("http://127.0.0.1:9000", "A", "127.0.0.1", {"origin": {"port": 9000}}, "flexible"),
        ("http://localhost:9000", "A", "127.0.0.1", {"origin": {"port": 9000}}, "flexible"),
        ("ws://app.internal", "CNAME", "app.internal", {"origin": {"port": 80}}, "flexible"),
        (
            "https://app.example.net:8443",
            "CNAME",
            "app.example.net",
            {"origin": {"port": 8443}, "sni": {"value": "app.example.net"}},
            "strict",
        ),
    ],
)
def test_an_origin_is_a_record_a_port_and_a_mode(
    origin: str, kind: str, content: str, parameters: object, ssl: str
) -> None:
    assert _plan(origin) == (kind, content, parameters, ssl)


def test_any_certificate_is_the_mode_full() -> None:
    assert _plan("https://10.0.0.5", is_insecure=True)[3] == "full"


def test_the_host_that_the_origin_sees_is_part_of_the_rule() -> None:
    _, _, parameters, _ = _plan("http://10.0.0.5", host_header="inner.example")
    assert parameters == {"origin": {"port": 80}, "host_header": "inner.example"}


def test_the_rule_is_for_every_request_and_the_records_are_proxied() -> None:
    plan = origin_plan("example.com", OriginUrl.parse("http://10.0.0.5:9"))
    (rule,) = plan.rules
    assert (rule["action"], rule["expression"], rule["enabled"]) == ("route", "true", True)
    assert [record["name"] for record in plan.records] == ["example.com", "*.example.com"]
    assert all(record["proxied"] is True and record["ttl"] == 1 for record in plan.records)


def test_without_the_wildcard_there_is_one_record() -> None:
    plan = origin_plan("example.com", OriginUrl.parse("http://10.0.0.5:9"), has_wildcard=False)
    assert [record["name"] for record in plan.records] == ["example.com"]


@pytest.mark.parametrize(
    ("origin", "is_insecure", "expected"),
    [
        ("unix:/run/app.sock", False, "a record cannot name a Unix socket"),
        ("http://10.0.0.5/base", False, "a URL without a path"),
        ("http://example.com", False, "a host outside the zone example.com"),
        ("http://ws.example.com", False, "a host outside the zone example.com"),
        ("http://10.0.0.5", True, "an https origin"),
    ],
)
def test_what_a_zone_cannot_say_is_refused(origin: str, is_insecure: bool, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        _plan(origin, is_insecure=is_insecure)


def test_a_name_that_only_ends_alike_is_outside() -> None:
    assert _plan("http://notexample.com")[:2] == ("CNAME", "notexample.com")
