"""The Core Rule Set's own regression tests (go-ftw's YAML) as requests and expectations. Pure: text in, cases out.

Law 1: a case is one request without a body, and what the rules on its head must say; what is more than that (a body, an
answer, a conversation) is left out, with the reason.
Law 2: a request is sent as it stands: no header is added, or taken for granted.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]  # it has no types of its own


@dataclass(frozen=True, slots=True)
class Case:
    """One test: the bytes of its request, ids that must and must not be found, and patterns of the log likewise."""

    name: str
    request: bytes
    ids: tuple[int, ...] = ()
    no_ids: tuple[int, ...] = ()
    patterns: tuple[str, ...] = ()
    no_patterns: tuple[str, ...] = ()

    def complaints(self, found: Mapping[int, str]) -> list[str]:
        """What is not as the case expects; `found` are the lines of the log by rule."""
        log = "\n".join(found.values())
        return [
            *(f"{number} was not found" for number in self.ids if number not in found),
            *(f"{number} was found" for number in self.no_ids if number in found),
            *(f"nothing in the log matches {one!r}" for one in self.patterns if not re.search(one, log)),
            *(f"the log matches {one!r}" for one in self.no_patterns if re.search(one, log)),
        ]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A test that is not about the head of a request."""

    name: str
    reason: str


def cases_in(file: str, text: str) -> Iterator[Case | LeftOut]:
    """The tests of one file; `file` is its name, with the number of the rule."""
    document = yaml.load(text, Loader=yaml.CSafeLoader)
    for number, test in enumerate((document or {}).get("tests") or (), 1):
        title = (
            test.get("test_title") or f"{document.get('rule_id', file.partition('.')[0])}-{test.get('test_id', number)}"
        )
        yield _case(str(title), [stage.get("stage", stage) for stage in test["stages"]])


def _case(name: str, stages: Sequence[Mapping[str, Any]]) -> Case | LeftOut:
    if len(stages) > 1:
        return LeftOut(name, "several requests")
    (stage,) = stages
    given, expected = stage["input"], stage["output"]
    log = expected.get("log", {})
    request = _request(given)
    _, _, body = request.partition(b"\r\n\r\n")
    if body or given.get("data"):
        return LeftOut(name, "a body")
    case = Case(
        name,
        request,
        tuple(log.get("expect_ids", ())),
        tuple(log.get("no_expect_ids", ())),
        _patterns(expected.get("log_contains"), log.get("match_regex")),
        _patterns(expected.get("no_log_contains"), log.get("no_match_regex")),
    )
    if not (case.ids or case.no_ids or case.patterns or case.no_patterns):
        return LeftOut(name, "the server's answer only")
    return case


def _patterns(*given: object) -> tuple[str, ...]:
    return tuple(str(one) for text in given if text for one in (text if isinstance(text, list) else [text]))


def _request(given: Mapping[str, Any]) -> bytes:
    if encoded := given.get("encoded_request"):
        return base64.b64decode(encoded)
    if raw := given.get("raw_request"):
        return str(raw).encode()
    first = f"{given.get('method', 'GET')} {given.get('uri', '/')} {given.get('version', 'HTTP/1.1')}"
    headers = given.get("headers") or {}
    pairs = [(one["name"], one["value"]) for one in headers] if isinstance(headers, list) else list(headers.items())
    lines = [first, *(f"{name}: {'' if value is None else value}" for name, value in pairs)]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
