"""Forms with files (multipart/form-data), read whole: the body's bound is the application's.

Law 1: whatever the bytes, reading returns texts or raises an ApiFault.
Law 2: reading takes time in proportion to the body, and looks at each byte of a file once; a form of more than MAX_PARTS parts is not read.

Source: RFC 7578, RFC 2046 §5.1.1.
"""

from __future__ import annotations

from email.message import Message

import msgspec
from fastapi import Request

from holdfast.api.faults import ApiFault, fault

NO_FORM = 1004
# A part takes some 0.1 ms, on the thread that answers everybody. Precedent: the largest script has 4,096 files, and a source map for each.
MAX_PARTS = 10_000
# Nothing sends more than a few fields of a part's head; a file's bytes are not searched for its end.
_MAX_PART_HEAD = 4096
# RFC 2046 §5.1.1 ends a boundary at 70 characters.
_MAX_BOUNDARY = 70


class Part(msgspec.Struct, frozen=True):
    """One part of a form. `filename` and `content_type` are "" where it has none."""

    name: str
    filename: str
    content_type: str
    content: bytes


async def read_form(request: Request) -> dict[str, str]:
    """The members of the request's form as texts, the last of each name. Raises ApiFault."""
    return {part.name: _text(part.content) for part in await read_parts(request) if part.name}


async def read_parts(request: Request) -> list[Part]:
    """The parts of the request's form, in their order. Raises ApiFault."""
    boundary = _boundary(request.headers.get("content-type", ""))
    # Every delimiter stands at the beginning of a line, the first one at that of the body.
    first, *parts = (b"\r\n" + await request.body()).split(b"\r\n--" + boundary, MAX_PARTS + 2)
    if len(parts) > MAX_PARTS + 1:
        raise _no_form(f"expected a form (multipart/form-data) of at most {MAX_PARTS} parts")
    if first.strip() or not parts or not parts[-1].startswith(b"--"):
        raise _no_form("expected a form (multipart/form-data), and parts between its boundaries")
    return [_part(*part.partition(b"\r\n\r\n")) for part in parts[:-1]]


def _boundary(content_type: str) -> bytes:
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    is_form = header.get_content_type() == "multipart/form-data" and isinstance(boundary, str)
    if not is_form or not 0 < len(str(boundary)) <= _MAX_BOUNDARY:
        raise _no_form("expected a form (multipart/form-data) with a boundary")
    return str(boundary).encode("latin-1", "replace")


def _part(head: bytes, _: bytes, content: bytes) -> Part:
    header = Message()
    for line in head[:_MAX_PART_HEAD].decode("utf-8", "replace").split("\r\n"):
        field, _colon, value = line.partition(":")
        if (key := field.strip().lower()) in {"content-disposition", "content-type"} and key not in header:
            header[key] = value.strip().replace("\n", " ").replace("\r", " ")
    kind = header.get_content_type() if "content-type" in header else ""
    return Part(_parameter(header, "name"), _parameter(header, "filename"), kind, content)


def _parameter(header: Message, name: str) -> str:
    """A parameter of the part's `Content-Disposition`; "" where there is none."""
    found = header.get_param(name, "", header="content-disposition")
    return found if isinstance(found, str) else ""


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _no_form("expected the members of the form in UTF-8") from None


def _no_form(message: str) -> ApiFault:
    return fault(400, NO_FORM, message)
