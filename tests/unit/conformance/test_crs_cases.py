"""The Core Rule Set's tests as requests and expectations, in both shapes that releases have them."""

import pytest

from conformance.crs_cases import Case, LeftOut, cases_in

OLD = """
tests:
  - test_title: 1-1
    stages:
      - stage:
          input: {method: GET, uri: "/a?b", headers: {Host: localhost, X-None: , X-Two: 2}}
          output: {log_contains: 'id "1"', no_log_contains: 'id "2"'}
"""
NEW = """
rule_id: 7
tests:
  - test_id: 3
    stages:
      - input: {uri: /, version: HTTP/1.0, headers: [{name: Host, value: a}, {name: Host, value: b}]}
        output: {log: {expect_ids: [7], no_expect_ids: [8], match_regex: 'x+', no_match_regex: y}}
"""


def test_both_shapes_are_read() -> None:
    (old,), (new,) = list(cases_in("1.yaml", OLD)), list(cases_in("7.yaml", NEW))
    assert old == Case(
        "1-1",
        b"GET /a?b HTTP/1.1\r\nHost: localhost\r\nX-None: \r\nX-Two: 2\r\n\r\n",
        patterns=('id "1"',),
        no_patterns=('id "2"',),
    )
    assert new == Case("7-3", b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", (7,), (8,), ("x+",), ("y",))


@pytest.mark.parametrize(
    ("found", "complaints"),
    [
        ({7: "xx"}, []),
        ({}, ["7 was not found", "nothing in the log matches 'x+'"]),
        ({7: "x", 8: "y"}, ["8 was found", "the log matches 'y'"]),
    ],
)
def test_what_is_not_as_expected_is_said(found: dict[int, str], complaints: list[str]) -> None:
    (case,) = cases_in("7.yaml", NEW)
    assert isinstance(case, Case)
    assert case.complaints(found) == complaints


@pytest.mark.parametrize(
    ("stages", "reason"),
    [
        ("[{input: {}, output: {log: {expect_ids: [1]}}}, {input: {}, output: {}}]", "several requests"),
        ("[{input: {data: x}, output: {log: {expect_ids: [1]}}}]", "a body"),
        ("[{input: {encoded_request: UE9TVCAvIEhUVFAvMS4xDQoNCng=}, output: {log: {expect_ids: [1]}}}]", "a body"),
        ("[{input: {}, output: {status: 400}}]", "the server's answer only"),
    ],
)
def test_what_is_more_than_the_head_of_a_request_is_left_out(stages: str, reason: str) -> None:
    assert list(cases_in("9.yaml", f"tests: [{{test_id: 1, stages: {stages}}}]")) == [LeftOut("9-1", reason)]


def test_a_request_may_be_given_as_it_is() -> None:
    text = "tests: [{test_id: 1, stages: [{input: {encoded_request: R0VUIC8gSFRUUC8xLjENCg0K}, output: {log: {expect_ids: [1]}}}]}]"
    (case,) = cases_in("9.yaml", text)
    assert isinstance(case, Case)
    assert case.request == b"GET / HTTP/1.1\r\n\r\n"


def test_a_file_may_have_no_tests() -> None:
    assert list(cases_in("9.yaml", "---\n")) == list(cases_in("9.yaml", "tests: []")) == []
