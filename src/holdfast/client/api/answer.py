"""What an answer of the API means: its result, or one sentence that says why there is none.

Law 1: pure. Whatever the bytes, `result_of` returns a JSON value or raises a HoldfastError; it never raises anything else.
Law 2: whose fault it is decides the exit status: ApiRefused (2) when the request must change, ApiFailed (1) when the world
must: another program answered, the API is broken, busy, or not there.
Law 3: what a server wrote is escaped and cut before it stands in a sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from holdfast.client.printable import printable, printable_lines
from holdfast.errors import HoldfastError

# How much of a server's words one sentence repeats, and how many of its errors.
_MAX_MESSAGE_CHARS = 500
_MAX_ERRORS = 5

# What the API calls an id: 32 hexadecimal digits, or a UUID. Anything else must not become part of a path.
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")

JsonObject = Mapping[str, object]


class ApiRefused(HoldfastError):
    """The API understood and said no (4xx). `status` is the HTTP status, `codes` those of its errors, `pointers` what they
    are about, `messages` their texts, whole and not yet printable."""

    exit_status = 2

    def __init__(
        self,
        sentence: str,
        *,
        status: int,
        codes: tuple[int, ...] = (),
        pointers: frozenset[str] = frozenset(),
        messages: tuple[str, ...] = (),
    ) -> None:
        super().__init__(sentence)
        self.status, self.codes, self.pointers, self.messages = status, codes, pointers, messages


class ApiFailed(HoldfastError):
    """No answer of the API, or none that can be used. `may_be_done`: a write may have been carried out all the same."""

    def __init__(self, sentence: str, *, may_be_done: bool = False) -> None:
        super().__init__(sentence)
        self.may_be_done = may_be_done


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer, whole. `retry_after` is the header field, or ""; `url` is the API's base, for sentences."""

    status: int
    body: bytes
    url: str
    content_type: str = ""
    retry_after: str = ""
    location: str = ""


def result_of(answer: Answer, *, what: str) -> object:
    """The envelope's `result`; `what` was asked, as in "create the zone". 204 and an empty 2xx are None.

    Raises ApiRefused or ApiFailed (Law 2).
    """
    return envelope_of(answer, what=what).get("result")


def envelope_of(answer: Answer, *, what: str) -> JsonObject:
    """The whole envelope `{success, errors, messages, result, result_info}` of a success. Raises as `result_of`."""
    is_good = 200 <= answer.status < 300
    if is_good and not answer.body.strip():
        return {}
    if 300 <= answer.status < 400:
        raise ApiFailed(
            f"cannot {what}: {answer.url} answered {answer.status}, a redirect to"
            f" {printable(answer.location or 'nowhere', limit=200)}; name the API itself (HOLDFAST_API)"
        )
    envelope = _json_object(answer.body)
    if "success" not in envelope and "errors" not in envelope:
        raise _not_the_api(answer, what)
    if is_good and envelope.get("success") is True:
        return envelope
    raise _refusal(answer, envelope, what)


def notes_of(envelope: JsonObject) -> list[str]:
    """The texts of the envelope's `messages`, printable."""
    messages = envelope.get("messages")
    items = [item for item in messages if isinstance(item, dict)] if isinstance(messages, list) else []
    return [_message(item) for item in items[:_MAX_ERRORS]]


def _json_object(body: bytes) -> JsonObject:
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _no_constant(name: str) -> object:
    # Python reads NaN and Infinity, which RFC 8259 §6 does not know.
    raise ValueError(name)


def _not_the_api(answer: Answer, what: str) -> HoldfastError:
    if answer.status == 429 or answer.status >= 500:
        return ApiFailed(f"cannot {what}: {answer.url} answered {answer.status}{_wait(answer)}")
    kind = printable(answer.content_type.partition(";")[0].strip(), limit=60) or "no content type"
    return ApiFailed(
        f"cannot {what}: what answered at {answer.url} is not the API: status {answer.status}, {kind}, no JSON of the"
        " API's form (HOLDFAST_API)"
    )


def _refusal(answer: Answer, envelope: JsonObject, what: str) -> HoldfastError:
    errors = envelope.get("errors")
    items = [item for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []
    said = "; ".join(_told(item) for item in items[:_MAX_ERRORS]) or "it gave no reason"
    if len(items) > _MAX_ERRORS:
        said = f"{said}; and {len(items) - _MAX_ERRORS} more"
    # Where the API names what is missing, there is nothing to advise.
    advice = "" if "permission" in said else _advice(answer.status)
    sentence = f"cannot {what}: {said} (HTTP {answer.status}){advice}"
    if answer.status == 429 or answer.status >= 500 or answer.status < 400:
        return ApiFailed(f"{sentence}{_wait(answer)}", may_be_done=answer.status >= 500)
    codes = tuple(code for item in items if isinstance(code := item.get("code"), int))
    pointers = frozenset(pointer for item in items if (pointer := _pointer(item)))
    messages = tuple(message for item in items if isinstance(message := item.get("message"), str))
    refused = ApiRefused(sentence, status=answer.status, codes=codes, pointers=pointers, messages=messages)
    refused.detail = "\n".join(printable_lines(text) for item in items[:_MAX_ERRORS] for text in _tracebacks(item))
    return refused


def _told(item: Mapping[str, object]) -> str:
    """One error: `code 1004: DNS Validation Error (at /name): its chain`."""
    said = [f"code {printable(str(item.get('code', '?')), limit=20)}: {_message(item)}"]
    if pointer := _pointer(item):
        said.append(f"(at {printable(pointer, limit=200)})")
    links = [link for link in _chain(item) if not _is_traceback(link)]
    said += [f"[code {printable(str(link.get('code', '?')), limit=20)}: {_message(link)}]" for link in links[:3]]
    return " ".join(said)


def _chain(item: Mapping[str, object]) -> list[Mapping[str, object]]:
    chain = item.get("error_chain")
    return [link for link in chain if isinstance(link, dict)] if isinstance(chain, list) else []


def _is_traceback(link: Mapping[str, object]) -> bool:
    """Whether it is lines, which a sentence has no room for."""
    return "\n" in str(link.get("message") or "").strip()


def _tracebacks(item: Mapping[str, object]) -> list[str]:
    return [str(link["message"]).strip("\n") for link in _chain(item)[:3] if _is_traceback(link)]


def _pointer(item: Mapping[str, object]) -> str:
    """Which member of the request an error is about, "" where it says none. Not yet printable."""
    source = item.get("source")
    return str(source.get("pointer") or "") if isinstance(source, dict) else ""


def _message(item: Mapping[str, object]) -> str:
    text = " ".join(printable(str(item.get("message") or "no message"), limit=_MAX_MESSAGE_CHARS).split())
    return text.rstrip(".")


def _advice(status: int) -> str:
    if status == 401:
        return "; is HOLDFAST_TOKEN a token of this API, active and not expired?"
    if status == 403:
        return "; the token may not do this: `holdfast token show TOKEN` says what it may"
    return ""


def _wait(answer: Answer) -> str:
    if not (answer.retry_after.isascii() and answer.retry_after.isdigit() and len(answer.retry_after) < 8):
        return ""
    return f"; try again in {answer.retry_after} s"


def as_object(value: object, *, what: str) -> JsonObject:
    """`value` as a JSON object. Raises ApiFailed where the API answered something else."""
    if not isinstance(value, dict):
        raise ApiFailed(f"cannot {what}: the API answered a result of another form than its documents say")
    return cast("JsonObject", value)


def as_objects(value: object, *, what: str) -> list[JsonObject]:
    """`value` as a list of JSON objects. Raises ApiFailed where the API answered something else."""
    if not isinstance(value, list):
        raise ApiFailed(f"cannot {what}: the API answered no list")
    return [as_object(item, what=what) for item in value]


def id_of(item: JsonObject, *, what: str) -> str:
    """The item's `id`, safe in a path. Raises ApiFailed where it has none, or one that is no id."""
    found = item.get("id")
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise ApiFailed(f"cannot {what}: the API answered an item without a usable id")
    return found


def text_of(item: JsonObject, *path: str) -> str:
    """The text at a path of keys, "" where there is none: `text_of(zone, "plan", "legacy_id")`. Not yet printable."""
    value: object = item
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def texts_of(values: object) -> Iterable[str]:
    """The texts of a JSON list; nothing for anything else."""
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
