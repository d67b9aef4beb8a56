"""`holdfast.api.form`: forms with files, whatever the bytes."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api import form
from holdfast.api.faults import ApiFault
from holdfast.api.form import read_form


def _read(content_type: str, body: bytes) -> dict[str, str]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", content_type.encode("latin-1"))]
    request = Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}, receive)
    return asyncio.run(read_form(request))


def _encoded(**parts: Any) -> tuple[str, bytes]:
    request = httpx.Request("POST", "http://a.test/", **parts)
    return request.headers["content-type"], request.read()


def test_files_and_fields_are_read_as_texts() -> None:
    files: dict[str, Any] = {"file": ("zone.txt", b"a A 1.1.1.1\r\nb A 1.1.1.2\n  \n"), "bom": b"\xef\xbb\xbfx"}
    found = _read(*_encoded(files=files, data={"proxied": "true", "ü": "ö"}))
    assert found["file"] == "a A 1.1.1.1\r\nb A 1.1.1.2\n  \n"
    assert (found["proxied"], found["bom"]) == ("true", "x")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"nothing of the kind"),
        ("multipart/mixed; boundary=x", b'--x\r\ncontent-disposition: form-data; name="file"\r\n\r\na\r\n--x--'),
        ("multipart/form-data; boundary=\xe9", b"--\xe9\r\n"),
    ],
)
def test_what_is_no_form_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(ApiFault, match="expected a form") as refused:
        _read(content_type, body)
    assert refused.value.status == 400


def test_a_form_of_more_parts_than_anybody_sends_is_refused_before_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(form, "MAX_PARTS", 3)
    part = b'--x\r\ncontent-disposition: form-data; name="%d"\r\n\r\na\r\n'
    whole = [part % number for number in range(4)]
    assert set(_read("multipart/form-data; boundary=x", b"".join((*whole[:3], b"--x--")))) == {"0", "1", "2"}
    for body in (b"".join((*whole, b"--x--")), b"".join(whole * 9)):
        with pytest.raises(ApiFault, match="of at most 3 parts"):
            _read("multipart/form-data; boundary=x", body)


def test_a_member_that_is_no_text_is_refused() -> None:
    with pytest.raises(ApiFault, match="UTF-8"):
        _read(*_encoded(files={"file": b"\xff\xfe"}))


@given(st.binary(max_size=200), st.text(st.characters(max_codepoint=255), max_size=20))
def test_no_bytes_do_anything_but_be_read_or_refused(body: bytes, boundary: str) -> None:
    head = b'--x\r\ncontent-disposition: form-data; name="file"'
    for given_ in (body, head + body, head + b"\r\n\r\n" + body + b"\r\n--x--"):
        for content_type in ("multipart/form-data; boundary=x", f"multipart/form-data; boundary={boundary}"):
            assert isinstance(_read_or_refused(content_type, given_), dict | ApiFault)


def _read_or_refused(content_type: str, body: bytes) -> dict[str, str] | ApiFault:
    try:
        return _read(content_type, body)
    except ApiFault as refused:
        return refused
