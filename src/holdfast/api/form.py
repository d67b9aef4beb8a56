"""Forms with files (multipart/form-data), read whole: the body's bound is the application's.

Law: whatever the bytes, reading returns texts or raises an ApiFault.

Source: RFC 7578.
"""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP

from fastapi import Request

from holdfast.api.faults import fault

NO_FORM = 1004


async def read_form(request: Request) -> dict[str, str]:
    """The members of the request's form as texts, the last of each name. Raises ApiFault."""
    content_type = request.headers.get("content-type", "")
    if not content_type.startswith("multipart/form-data"):
        raise _no_form("expected a form (multipart/form-data)")
    head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    parsed = BytesParser(policy=HTTP).parsebytes(head + await request.body())
    if not parsed.is_multipart():
        raise _no_form("expected a form (multipart/form-data) with a boundary, and parts between them")
    return {name: _text(part) for part in parsed.get_payload() if isinstance(part, Message) and (name := _name(part))}


def _name(part: Message) -> str:
    name = part.get_param("name", "", header="content-disposition")
    return name if isinstance(name, str) else ""


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _no_form("expected the members of the form in UTF-8") from None


def _no_form(message: str) -> Exception:
    return fault(400, NO_FORM, message)
