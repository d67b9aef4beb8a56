"""Rules and requests to test SecLang with: a text in, the numbers of the rules that hold out."""

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.model.request import Request
from holdfast.rules.context import EvaluationContext, Facts
from holdfast.rules.seclang.engine import Engine, text_of
from holdfast.rules.seclang.errors import Position
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.reader import read
from holdfast.rules.seclang.request_variables import RequestVariables
from holdfast.rules.seclang.syntax_tree import Rule, Rulebook
from holdfast.rules.seclang.transaction import Transaction

WHERE = Position("a.conf", 1)
HEADERS = (("Host", "example.com"), ("User-Agent", "tests"), ("Accept", "*/*"))
_REQUEST = Request(
    "230b030023ae2822-LOC", "GET", "https", "example.com", "/", "", "HTTP/1.1", HEADERS, "203.0.113.7", 51_234, 443,
    None, is_upgrade=False,
)  # fmt: skip


def a_request(target: str = "/", *more: tuple[str, str], **changed: Any) -> Request:
    """A GET of `target`, with header fields beyond Host, User-Agent and Accept."""
    path, _, query = target.partition("?")
    request = msgspec.structs.replace(_REQUEST, path=path, query=query, headers=(*HEADERS, *more))
    return msgspec.structs.replace(request, **changed)


def rulebook(text: str, data: Mapping[str, bytes] | None = None) -> Rulebook:
    """What is read of one file, beside files of data."""
    return read({"a.conf": text.encode(), **(data or {})})


def rule(text: str) -> Rule:
    """The only rule of a text."""
    (found,) = rulebook(text).rules
    return found


def engine(
    text: str, *, data: Mapping[str, bytes] | None = None, pinned: Mapping[bytes, bytes] | None = None
) -> Engine:
    """An engine for one file."""
    return Engine(rulebook(text, data).items, PatternCache(), pinned=pinned or {})


def transaction(request: Request | None = None, facts: Facts | None = None, **tx: bytes) -> Transaction:
    """A transaction of this request, with these members of TX."""
    context = EvaluationContext(request or a_request(), facts or Facts())
    return Transaction(RequestVariables(context), {name.encode(): value for name, value in tx.items()})


def found(rules: Engine | str, request: Request | None = None, facts: Facts | None = None) -> list[int]:
    """The numbers of the rules that hold, in order."""
    return [number for number, _ in said(rules, request, facts)]


def said(rules: Engine | str, request: Request | None = None, facts: Facts | None = None) -> list[tuple[int, str]]:
    """The numbers of the rules that hold, with their messages."""
    ready = rules if isinstance(rules, Engine) else engine(rules)
    begun = ready.begin(transaction(request, facts).variables, {})
    return [(one.rule.id, text_of(one.rule.message, begun)) for one in ready.findings(begun)]
