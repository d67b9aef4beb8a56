"""Which DNS records a client asks to see, and in which order. Pure: the records of one zone are few enough to look at all.

Law 1: texts are compared without regard to case, as everywhere in the DNS.
Law 2: an order is total: records that are equal in what is asked keep the order in which they were made.

Source: Cloudflare API v4, "List DNS Records".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from holdfast.model.dns_record import DnsRecord

Test = Callable[[DnsRecord], bool]

TEXT_OPERATORS = ("exact", "contains", "startswith", "endswith")
PRESENCE_OPERATORS = ("present", "absent")
ORDERS = ("type", "name", "content", "ttl", "proxied")


class TextTest(msgspec.Struct, frozen=True):
    """One test of a text. `operator` is one of TEXT_OPERATORS or PRESENCE_OPERATORS, the latter without a text."""

    operator: str
    text: str = ""


class RecordFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. Every test of `names`, `contents`, `comments`, `type` and `proxied` must hold if `is_all`, else one
    of them; so with `tags` and `is_all_tags`. `search` must hold besides."""

    names: tuple[TextTest, ...] = ()
    contents: tuple[TextTest, ...] = ()
    comments: tuple[TextTest, ...] = ()
    tags: tuple[TextTest, ...] = ()
    type: str | None = None
    proxied: bool | None = None
    search: str | None = None
    is_all: bool = True
    is_all_tags: bool = True
    order: str | None = None
    is_descending: bool = False


def select(records: Iterable[DnsRecord], asked: RecordFilter) -> list[DnsRecord]:
    """The records that `asked` asks for, in its order. `records` come in the order in which they were made."""
    tests = _tests(asked)
    combine = all if asked.is_all else any
    found = [record for record in records if not tests or combine(test(record) for test in tests)]
    if asked.search:
        found = [record for record in found if _mentions(record, asked.search.lower())]
    if asked.order is not None:
        found.sort(key=lambda record: getattr(record, str(asked.order)), reverse=asked.is_descending)
    elif asked.is_descending:
        found.reverse()
    return found


def _tests(asked: RecordFilter) -> list[Test]:
    tests: list[Test] = []
    texts: Mapping[str, Sequence[TextTest]] = {
        "name": asked.names,
        "content": asked.contents,
        "comment": asked.comments,
    }
    for field, wanted in texts.items():
        tests += [_text_test(field, one) for one in wanted]
    if asked.type is not None:
        tests.append(_equality("type", asked.type))
    if asked.proxied is not None:
        tests.append(_equality("proxied", asked.proxied))
    if asked.tags:
        combine = all if asked.is_all_tags else any
        tests.append(lambda record: combine(_has_tag(record, one) for one in asked.tags))
    return tests


def _text_test(field: str, wanted: TextTest) -> Test:
    return lambda record: _holds(wanted, getattr(record, field) or "")


def _equality(field: str, value: Any) -> Test:  # noqa: ANN401  whatever the field holds
    return lambda record: bool(getattr(record, field) == value)


def _holds(wanted: TextTest, given: str) -> bool:
    text, asked = given.lower(), wanted.text.lower()
    match wanted.operator:
        case "exact":
            return text == asked
        case "contains":
            return asked in text
        case "startswith":
            return text.startswith(asked)
        case "endswith":
            return text.endswith(asked)
        case "present":
            return bool(text)
        case _:
            return not text


def _has_tag(record: DnsRecord, wanted: TextTest) -> bool:
    """`name` for present and absent, `name:value` for the rest."""
    name, _, value = wanted.text.lower().partition(":")
    values = [tag.partition(":")[2] for tag in record.tags if tag.partition(":")[0].lower() == name]
    if wanted.operator in PRESENCE_OPERATORS:
        return bool(values) is (wanted.operator == "present")
    return any(_holds(TextTest(wanted.operator, value), one) for one in values)


def _mentions(record: DnsRecord, text: str) -> bool:
    return any(text in part.lower() for part in (record.name, record.content, record.comment or "", *record.tags))
