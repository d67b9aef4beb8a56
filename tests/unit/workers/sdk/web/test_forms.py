"""Forms: what is written is read the same, and whatever arrives is a form or an error."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.web.blobs import Blob, File
from holdfast.workers.sdk.web.forms import MAX_PARTS, FormData, FormDataValue, parse_form, serialize_form

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = TEXTS.map(lambda text: text.replace("%0A", "").replace("%0D", "").replace("%22", ""))
FILES = st.builds(
    File, st.binary(max_size=40), NAMES, st.sampled_from(["image/png", "text/plain", "application/octet-stream"])
)


def shape(form: FormData) -> list[tuple[str, object]]:
    return [
        (name, (value.name, value.type, value.data) if isinstance(value, File) else value)
        for name, value in form.items()
    ]


@given(st.lists(st.tuples(NAMES, TEXTS | FILES), max_size=6))
def test_a_form_that_is_written_is_read_the_same(entries: list[tuple[str, FormDataValue]]) -> None:
    form = FormData()
    for name, value in entries:
        form.append(name, value)
    assert shape(parse_form(*serialize_form(form))) == shape(form)


@given(st.binary(max_size=200), st.sampled_from(["x", "a b", '"', "--"]))
def test_whatever_arrives_is_a_form_or_a_type_error(body: bytes, boundary: str) -> None:
    framed = f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n'.encode()
    for candidate in (body, framed + body, framed + body + f"\r\n--{boundary}--".encode()):
        with contextlib.suppress(JsTypeError):
            assert isinstance(parse_form(candidate, f'multipart/form-data; boundary="{boundary}"'), FormData)


def test_a_browsers_form_is_read() -> None:
    body = (
        b'preamble\r\n--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--XX \t\r\n'
        b'content-disposition: form-data; name="f"; filename="C:\\x;y.txt"\r\nContent-Type: text/html\r\n\r\n<p>\r\n\r\n--XX--\r\n'
    )
    assert shape(parse_form(body, "Multipart/Form-Data; charset=utf-8; boundary=XX")) == [
        ("a", "1"),
        ("f", ("C:\\x;y.txt", "text/html", b"<p>\r\n")),
    ]


def test_an_urlencoded_form_is_read() -> None:
    form = parse_form(b"a=1&b=x+y%C3%BC&a=2&c", "application/x-www-form-urlencoded; charset=UTF-8")
    assert shape(form) == [("a", "1"), ("b", "x yü"), ("a", "2"), ("c", "")]


PART = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n'


@pytest.mark.parametrize(
    ("body", "content_type", "complaint"),
    [
        (b"", None, "Unrecognized Content-Type"),
        (b"{}", "application/json", "Unrecognized Content-Type"),
        (b"", "multipart/form-data", "No boundary string in Content-Type"),
        (b"", "multipart/form-data; boundary=B", "No initial boundary"),
        (b"x--B\r\n", "multipart/form-data; boundary=B", "No initial boundary"),
        (b"--Bx\r\n", "multipart/form-data; boundary=B", "not succeeded by CRLF"),
        (b"--B\r\nno end", "multipart/form-data; boundary=B", "No end to part header"),
        (b"--B\r\n" + b"x" * 9000 + b"\r\n\r\n", "multipart/form-data; boundary=B", "No end to part header"),
        (PART + b"cut", "multipart/form-data; boundary=B", "No subsequent boundary"),
        (b"--B\r\nContent-Type: x\r\n\r\n1\r\n--B--", "multipart/form-data; boundary=B", "not form-data with a name"),
        ((PART + b"1\r\n") * (MAX_PARTS + 1) + b"--B--", "multipart/form-data; boundary=B", "more than 1000 parts"),
        (b"a=1&" * (MAX_PARTS + 1), "application/x-www-form-urlencoded", "more than 1000 parts"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, content_type: str | None, complaint: str) -> None:
    with pytest.raises(JsTypeError, match=complaint):
        parse_form(body, content_type)


def test_a_form_has_what_both_apis_have() -> None:
    form = FormData({"a": "1"})
    form.append("a", "2")
    form.append("f", Blob(b"x", "image/png"), "pic.png")
    form["b"] = "3"
    assert (form["a"], form.get("a"), form.get_all("a"), form.getAll("a")) == ("1", "1", ["1", "2"], ["1", "2"])
    assert (list(form), len(form), "b" in form, form.has("z")) == (["a", "a", "f", "b"], 4, True, False)
    file = form["f"]
    assert isinstance(file, File)
    assert (file.name, file.type, list(form.values())[3]) == ("pic.png", "image/png", "3")
    form.set("a", "9")
    del form["b"]
    assert [name for name, _ in form.entries()] == ["a", "f"]
    assert (FormData(form).entries() == form.entries(), form.js_object is form, FormData.new().entries()) == (
        True,
        True,
        [],
    )
    missing: object = form["missing"]
    assert (missing, form.get("missing", "x"), form.setdefault("s", "1"), form.setdefault("s", "2")) == (
        None,
        "x",
        "1",
        "1",
    )
    assert form.pop("s") == "1"
    with pytest.raises(JsTypeError, match="Expected form_data to be a dict"):
        FormData(5)  # type: ignore[arg-type]
    with pytest.raises(JsTypeError, match="Expected single item"):
        form["a"] = ["1"]  # type: ignore[assignment]
    with pytest.raises(JsTypeError, match="a file name belongs to a Blob"):
        form.append("a", "text", "name.txt")
    assert "FormData([('a', '9')" in repr(form)


def test_a_blob_without_a_name_is_sent_as_a_file_named_blob() -> None:
    form = FormData({"f": Blob(b"x")})
    content, _ = serialize_form(form)
    assert b'filename="blob"\r\nContent-Type: application/octet-stream\r\n\r\nx' in content
