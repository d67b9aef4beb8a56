"""`holdfast.api.worker_upload`: forms of modules, whatever is in them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api import worker_upload as subject
from holdfast.api.faults import ApiFault
from holdfast.api.form import Part
from holdfast.api.worker_upload import bindings_of, metadata_of, modules_of


def module(name: str, content: bytes = b"", *, part: str = "files", kind: str = "text/x-python") -> Part:
    return Part(part, name, kind, content)


@pytest.mark.parametrize("part", ["files", "files[]", "", "a.py"])
def test_a_module_is_called_as_its_file_is_whatever_its_part_is(part: str) -> None:
    assert modules_of([module("a.py", b"x", part=part)])[0] == {"a.py": b"x"}


def test_a_part_without_a_file_is_called_as_it_is_itself() -> None:
    assert modules_of([Part("a.py", "", "", b"x")])[0] == {"a.py": b"x"}


def test_a_module_is_called_as_its_part_where_the_entry_module_is_named_so() -> None:
    parts = [
        module("entry.py", b"x", part="worker.py"),
        module("b.py", part="lib/b.py"),
        module("c.py", part="files[]"),
    ]
    assert set(modules_of(parts, "worker.py")[0]) == {"worker.py", "lib/b.py", "c.py"}
    assert set(modules_of(parts, "entry.py")[0]) == set(modules_of(parts)[0]) == {"entry.py", "b.py", "c.py"}


def test_source_maps_are_no_modules() -> None:
    files = modules_of([module("a.py"), module("a.py.map", kind="application/source-map")])[0]
    assert set(files) == {"a.py"}


def test_modules_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_FILES", 1)
    with pytest.raises(ApiFault, match="at most 1 modules, got 2") as caught:
        modules_of([module("a.py"), module("b.py")])
    assert (caught.value.status, caught.value.complaints[0].code) == (413, 10027)
    monkeypatch.setattr(subject, "MAX_FILES_BYTES", 3)
    with pytest.raises(ApiFault, match="at most 3 bytes together, got 4"):
        modules_of([module("a.py", b"1234")])
    with pytest.raises(ApiFault, match="different names"):
        modules_of([module("a.py"), module("a.py")])


@pytest.mark.parametrize("props", [["x"], "x", {"a": "x" * 4096}])
def test_props_of_a_service_are_a_small_object(props: object) -> None:
    with pytest.raises(ApiFault, match=r"props: expected an object of at most 4096 bytes"):
        bindings_of([{"type": "service", "name": "A", "service": "other", "props": props}])


def test_what_is_said_of_bindings_shows_nothing_of_a_secret() -> None:
    found = bindings_of([{"type": "secret_text", "name": "A", "text": "s3cret"}])
    assert found.secrets == {"A": "s3cret"}
    assert "s3cret" not in repr(found)


@given(st.dictionaries(st.sampled_from(["type", "name", "text", "json", "class_name", "service"]),
                       st.sampled_from(["plain_text", "json", "service", "A", 5, None, []]), max_size=5))  # fmt: skip
def test_no_binding_does_more_than_be_refused(one: dict[str, object]) -> None:
    with contextlib.suppress(ApiFault):
        assert len(bindings_of([one]).vars) <= 1


@given(st.binary(max_size=60))
def test_no_metadata_does_more_than_be_refused(content: bytes) -> None:
    with contextlib.suppress(ApiFault):
        assert metadata_of([Part("metadata", "", "", content)]).bindings == ()
