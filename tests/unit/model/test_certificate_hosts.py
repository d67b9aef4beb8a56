"""`holdfast.model.certificate_hosts`: a certificate is for hosts of its own zone alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.certificate_hosts import hosts_within
from holdfast.model.hostname import is_within


@pytest.mark.parametrize(
    ("hosts", "zone", "within"),
    [
        (["example.com", "*.example.com"], "example.com", ("example.com", "*.example.com")),
        (["www.example.com", "example.org", "notexample.com"], "example.com", ("www.example.com",)),
        (["*.example.com"], "a.example.com", ("a.example.com",)),
        (["*.example.com", "a.example.com"], "a.example.com", ("a.example.com",)),
        (["*.example.com"], "a.b.example.com", ()),
        (["*.com"], "example.com", ("example.com",)),
        (["*"], "com", ()),
        ([], "example.com", ()),
    ],
)
def test_what_is_of_the_zone_is_kept(hosts: list[str], zone: str, within: tuple[str, ...]) -> None:
    assert hosts_within(hosts, zone) == within


@given(st.lists(st.from_regex(r"(\*\.)?[ab](\.[ab]){0,3}", fullmatch=True)), st.sampled_from(["a.b", "b", "a.a.b"]))
def test_nothing_outside_the_zone_is_ever_named(hosts: list[str], zone: str) -> None:
    assert all(is_within(host, zone) for host in hosts_within(hosts, zone))
