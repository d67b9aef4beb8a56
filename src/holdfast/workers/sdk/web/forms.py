"""Forms: `FormData`, and the two texts it is sent as (RFC 7578 multipart/form-data, urlencoded).

Law 1: `parse_form(*serialize_form(form))` is the form again, files with their names and types.
Law 2: whatever bytes arrive, parsing ends with a form or a TypeError, in time that grows with their number only.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any, TypeAlias, cast

from holdfast.workers.sdk.arity import as_many
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.proxied import Proxied
from holdfast.workers.sdk.values import JsList
from holdfast.workers.sdk.web.blobs import Blob, File
from holdfast.workers.sdk.web.search_params import pairs_of_query

# Parts of one form; beyond it the body is refused. Precedent: Django's DATA_UPLOAD_MAX_NUMBER_FIELDS, 1,000.
MAX_PARTS = 1_000
# The head of one part. Precedent: Starlette's multipart parser takes 8 KiB of header at most.
MAX_PART_HEAD_BYTES = 8 * 1024


FormDataValue: TypeAlias = str | Blob


class FormData(MutableMapping[str, FormDataValue], Proxied):
    """Names and values, in order; a name may have many. The API of `multidict` and of JavaScript's FormData at once."""

    def __init__(self, form_data: FormData | dict[str, FormDataValue] | None = None) -> None:
        self._entries: list[tuple[str, FormDataValue]] = []
        if form_data is None:
            return
        if isinstance(form_data, FormData):
            self._entries = form_data.entries()
        elif isinstance(form_data, dict):
            for name, value in form_data.items():
                self.append(name, value)
        else:
            raise JsTypeError("Expected form_data to be a dict or an instance of FormData")

    @classmethod
    def new(cls) -> FormData:
        """As `js.FormData.new()`."""
        return cls()

    @property
    def js_object(self) -> FormData:
        """This: there is no other side."""
        return self

    def append(self, key: str, value: FormDataValue, filename: str | None = None) -> None:
        """Add a value to a name."""
        self._entries.append((key, _checked_value(value, filename)))

    def set(self, key: str, value: FormDataValue, filename: str | None = None) -> None:
        """The one value of a name, where its first one was."""
        checked = _checked_value(value, filename)
        places = [position for position, (name, _) in enumerate(self._entries) if name == key]
        if not places:
            self._entries.append((key, checked))
            return
        self._entries[places[0]] = (key, checked)
        for position in reversed(places[1:]):
            del self._entries[position]

    def delete(self, key: str) -> None:
        """Remove all of a name; nothing if there is none."""
        self._entries = [entry for entry in self._entries if entry[0] != key]

    def has(self, key: str) -> bool:
        """Whether there is such a name."""
        return key in self

    def get_all(self, key: str) -> list[FormDataValue]:
        """All values of a name."""
        return [value for name, value in self._entries if name == key]

    def getAll(self, key: str) -> JsList[FormDataValue]:  # noqa: N802 - JavaScript's name
        """All values of a name."""
        return JsList(self.get_all(key))

    def forEach(self, visit: Callable[..., object]) -> None:  # noqa: N802 - JavaScript's name
        """Call `visit(value, key, form)`, or with as many of them as it takes."""
        for key, value in self.entries():
            as_many(visit, value, key, self)

    def entries(self) -> list[tuple[str, FormDataValue]]:
        """(name, value) pairs, in order."""
        return list(self._entries)

    def keys(self) -> Iterator[str]:  # type: ignore[override]  # with repetitions, as the original's
        """Names, in order, as often as they have values."""
        return (name for name, _ in self._entries)

    def values(self) -> Iterator[FormDataValue]:  # type: ignore[override]  # with repetitions, as the original's
        """Values, in order."""
        return (value for _, value in self._entries)

    def items(self) -> Iterator[tuple[str, FormDataValue]]:  # type: ignore[override]  # with repetitions, as the original's
        """(name, value) pairs, in order."""
        return iter(list(self._entries))

    def __getitem__(self, key: str) -> FormDataValue:
        # The original gives None where there is no such name, as JavaScript does.
        return cast("FormDataValue", self.get(key))

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - a value, or whatever the default is
        """The first value of a name; `default` without one."""
        return next((value for name, value in self._entries if name == key), default)

    def setdefault(self, key: str, default: FormDataValue = "") -> FormDataValue:
        """The first value of a name, which is `default` from now on where there was none."""
        if key not in self:
            self.append(key, default)
        return self[key]

    def __setitem__(self, key: str, value: FormDataValue) -> None:
        if isinstance(value, list):
            raise JsTypeError("Expected single item in arguments to FormData.__setitem__")
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        self.delete(key)

    def __contains__(self, key: object) -> bool:
        return any(name == key for name, _ in self._entries)

    def __iter__(self) -> Iterator[str]:
        return self.keys()

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"FormData({self._entries!r})"


def serialize_form(form: FormData) -> tuple[bytes, str]:
    """The form as multipart/form-data, and the content type with its boundary."""
    boundary = f"----holdfast{secrets.token_hex(16)}"
    pieces: list[bytes] = []
    for name, value in form.entries():
        pieces += (b"--", boundary.encode(), b"\r\n", _part_head(name, value), b"\r\n\r\n")
        pieces += (value.data if isinstance(value, Blob) else value.encode("utf-8", "surrogatepass"), b"\r\n")
    pieces += (b"--", boundary.encode(), b"--\r\n")
    return b"".join(pieces), f"multipart/form-data; boundary={boundary}"


def parse_form(body: bytes, content_type: str | None) -> FormData:
    """The form that `body` is. TypeError where its content type is no form's, or it is not one."""
    essence, parameters = _media_type(content_type or "")
    if essence == "application/x-www-form-urlencoded":
        return _of_pairs(pairs_of_query(body.decode("utf-8", "replace")))
    if essence != "multipart/form-data":
        raise JsTypeError(
            "Unrecognized Content-Type header value. FormData can only parse the following MIME types: "
            "multipart/form-data, application/x-www-form-urlencoded."
        )
    if not (boundary := parameters.get("boundary")):
        raise JsTypeError("No boundary string in Content-Type header. The boundary string is required.")
    return _of_pairs(_parts(body, b"--" + boundary.encode("utf-8", "surrogatepass")))


def _of_pairs(pairs: Iterable[tuple[str, FormDataValue]]) -> FormData:
    form = FormData()
    for number, (name, value) in enumerate(pairs):
        if number >= MAX_PARTS:
            raise JsTypeError(f"The form has more than {MAX_PARTS} parts.")
        form.append(name, value)
    return form


def _checked_value(value: object, filename: str | None) -> FormDataValue:
    if isinstance(value, Blob):
        if filename is not None or not isinstance(value, File):
            return File(value, filename or (value.name if isinstance(value, File) else "blob"))
        return value
    if filename is not None:
        raise JsTypeError("append(name, value, filename): a file name belongs to a Blob or a File only")
    return value if isinstance(value, str) else str(value)


def _part_head(name: str, value: FormDataValue) -> bytes:
    head = f'Content-Disposition: form-data; name="{_quoted(name)}"'
    if isinstance(value, File):
        kind = value.type or "application/octet-stream"
        head += f'; filename="{_quoted(value.name)}"\r\nContent-Type: {kind}'
    return head.encode("utf-8", "surrogatepass")


# HTML "multipart/form-data encoding algorithm": these three are percent-encoded in names, nothing else.
def _quoted(text: str) -> str:
    return text.replace("\n", "%0A").replace("\r", "%0D").replace('"', "%22")


def _unquoted(text: str) -> str:
    return text.replace("%0A", "\n").replace("%0D", "\r").replace("%22", '"')


def _parts(body: bytes, delimiter: bytes) -> Iterator[tuple[str, FormDataValue]]:
    position = body.find(delimiter)
    if position == -1 or (position and body[position - 2 : position] != b"\r\n"):
        raise JsTypeError("No initial boundary string (or you have a truncated message).")
    position += len(delimiter)
    while body[position : position + 2] != b"--":
        position = _after_line(body, position)
        head_end = body.find(b"\r\n\r\n", position, position + MAX_PART_HEAD_BYTES)
        if head_end == -1:
            raise JsTypeError("No end to part header.")
        end = body.find(b"\r\n" + delimiter, head_end + 2)
        if end == -1:
            raise JsTypeError("No subsequent boundary string after multipart message.")
        yield _part(body[position:head_end], body[head_end + 4 : max(end, head_end + 4)])
        position = end + 2 + len(delimiter)


def _after_line(body: bytes, position: int) -> int:
    end = body.find(b"\r\n", position)
    # RFC 2046 §5.1.1: white space may follow a boundary, nothing else.
    if end == -1 or body[position:end].strip(b" \t"):
        raise JsTypeError("Boundary string was not succeeded by CRLF.")
    return end + 2


def _part(head: bytes, content: bytes) -> tuple[str, FormDataValue]:
    fields: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    disposition, parameters = _media_type(fields.get("content-disposition", ""))
    if disposition != "form-data" or "name" not in parameters:
        raise JsTypeError("Content-Disposition header in FormData part is not form-data with a name.")
    name = _unquoted(parameters["name"])
    if "filename" not in parameters:
        return name, content.decode("utf-8", "replace")
    return name, File(content, _unquoted(parameters["filename"]), fields.get("content-type", "text/plain"))


# `; name="text"` or `; name=token`. A backslash means itself, as browsers write file names.
_PARAMETER = re.compile(r';[ \t]*([^=; \t]+)[ \t]*=[ \t]*(?:"([^"]*)"|([^; \t]*))')


def _media_type(text: str) -> tuple[str, dict[str, str]]:
    essence, _, _ = text.partition(";")
    parameters: dict[str, str] = {}
    for match in _PARAMETER.finditer(text):
        parameters.setdefault(match[1].lower(), match[3] if match[2] is None else match[2])
    return essence.strip().lower(), parameters
