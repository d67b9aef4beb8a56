"""The tables of docs/ and the code they describe have the same rows.

Law 1: the code is the authority: its dataclass, its table and its struct are read, not a copy of them.
Law 2: a row too many is as wrong as a row too few.
"""

import dataclasses
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.client.options import ConnectOptions
from holdfast.config.run import Config
from holdfast.config.up import UpOptions
from holdfast.edge.answers import Problem
from holdfast.edge.explanations import EXPLANATIONS
from holdfast.model.option import spelling_of
from tests.meta.tree import ROOT, complain, files

# In the code for what is still to come: nothing in this version can answer with them.
NOT_YET_SENT = frozenset({1033, 1200})

# A row of the limits in docs/up.md -> the constant that it states, below native/core/src.
LIMITS = {
    "request head": ("http/request.rs", "MAX_HEAD_BYTES"),
    "fields of a head": ("http/scan.rs", "MAX_FIELDS"),
    "request target": ("http/request.rs", "MAX_TARGET_BYTES"),
    "head of the origin's answer": ("http/response.rs", "MAX_RESPONSE_HEAD_BYTES"),
    "TLS handshake": ("secure.rs", "HANDSHAKE_TIMEOUT"),
    "time to send a request head": ("connection.rs", "HEAD_TIMEOUT"),
    "time between two requests": ("connection.rs", "KEEP_ALIVE_TIMEOUT"),
    "silence within a request body": ("upload.rs", "CLIENT_BODY_STALL"),
    "the origin takes none of a request": ("upload.rs", "ORIGIN_STALL"),
    "a client takes none of an answer": ("connection.rs", "CLIENT_STALL"),
    "a WebSocket half closed, and silent": ("tunnel/mod.rs", "HALF_CLOSED_SILENCE"),
    "a WebSocket after both Close frames": ("tunnel/mod.rs", "LINGER"),
    "requests that wait for a decision": ("policy.rs", "MAX_WAITING"),
    "log lines that wait": ("registry.rs", "MAX_WAITING_LINES"),
}
# The same for the defaults of `Origin` in `_native.pyi`.
ORIGIN_LIMITS = {
    "connecting to the origin": "connect_timeout_s",
    "the origin does not begin to answer": "answer_timeout_s",
}
MINUTE_S = 60


def rows_of(text: str, *, first_column: str) -> Iterator[list[str]]:
    """The cells of each row of every table in a Markdown text whose first column has this title."""
    title: str | None = None
    for line in text.splitlines():
        if not line.startswith("|"):
            title = None
            continue
        cells = [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if title is None:
            title = cells[0]
        elif title == first_column and not set(cells[0]) <= set("-: "):
            yield cells


def section_of(text: str, heading: str) -> str:
    """What stands below a heading of the second level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no heading '{heading}'"
    return found[1]


def difference(what: str, said: list[str], true: list[str]) -> list[str]:
    """A complaint for each that is said and not true, or true and not said, or said twice."""
    return [
        *(f"{what}: '{one}' is in the document and not in the code" for one in sorted(set(said) - set(true))),
        *(f"{what}: '{one}' is in the code and not in the document" for one in sorted(set(true) - set(said))),
        *(f"{what}: '{one}' is in the document twice" for one in sorted(set(said)) if said.count(one) > 1),
    ]


def fields_of_struct(rust: str, name: str) -> list[str]:
    """The field names of a Rust struct."""
    found = re.search(rf"^(?:pub(?:\(\w+\))? )?struct {name}\b[^{{]*\{{(.*?)^\}}", rust, re.MULTILINE | re.DOTALL)
    assert found, f"no struct {name}"
    return re.findall(r"^ +(?:pub(?:\(\w+\))? )?(\w+):", found[1], re.MULTILINE)


def variants_of_enum(rust: str, name: str) -> list[str]:
    """The unit variants of a Rust enum, in snake case (`#[serde(rename_all = "snake_case")]`)."""
    found = re.search(rf"^pub enum {name} \{{(.*?)^\}}", rust, re.MULTILINE | re.DOTALL)
    assert found, f"no enum {name}"
    names = re.findall(r"^ +([A-Z]\w+),", found[1], re.MULTILINE)
    return [re.sub(r"(?<!^)([A-Z])", r"_\1", one).lower() for one in names]


def examples_in(text: str) -> list[dict[str, Any]]:
    """The JSON objects that a Markdown text shows. Raises ValueError where one is not JSON."""
    return [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def value_of_constant(rust: str, name: str) -> str:
    """What a Rust constant is, as a document states it: "32 KiB", "10 s", "256"."""
    found = re.search(rf"^(?:pub(?:\(\w+\))? )?const {name}: (\w+) = ([^;]+);", rust, re.MULTILINE)
    assert found, f"no constant {name}"
    if duration := re.fullmatch(r"Duration::from_(secs|mins)\((\d+)\)", found[2]):
        return f"{int(duration[2]) * (MINUTE_S if duration[1] == 'mins' else 1)} s"
    number = math.prod(int(factor.replace("_", "")) for factor in found[2].split("*"))
    return f"{number // 1024} KiB" if name.endswith("_BYTES") else str(number)


def events_of_rust(text: str) -> list[str]:
    """The events that Rust code puts into the log."""
    return re.findall(r'"?\bevent"?: "(\w+)"', text)


def events_of_python(text: str) -> list[str]:
    """The events that Python code puts into the log (`holdfast.event_log`), itself or by a command to do so."""
    writers = r"_?log(?:\.write)?|self\.write|Record|Remark|Note|_note|record"
    return re.findall(rf'\b(?:{writers})\(\s*"(\w+_\w+)",', text)


def _document(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def _code_of(cell: str) -> str:
    found = re.match(r"`([^`]+)`", cell)
    assert found, f"'{cell}' is not code"
    return found[1]


@pytest.mark.parametrize(("document", "options"), [("up.md", UpOptions), ("connect.md", ConnectOptions)])
def test_a_command_documents_every_option_and_no_other(
    document: str, options: type[UpOptions | ConnectOptions]
) -> None:
    said = [_code_of(row[0]).split()[0] for row in rows_of(_document(document), first_column="option")]
    spellings = [spelling_of(field) for field in dataclasses.fields(options)]
    complain(difference(f"docs/{document}", said, [one.flag for one in spellings if not one.is_argument]))


def test_run_documents_every_key_with_its_flag_and_no_other() -> None:
    rows = rows_of(_document("run.md"), first_column="key")
    said = [f"{_code_of(key)} {_code_of(flag)}" for key, flag, *_ in rows]
    spellings = [spelling_of(field) for field in dataclasses.fields(Config)]
    complain(difference("docs/run.md", said, [f"{one.key} {one.flag} {one.metavar}" for one in spellings]))


def test_errors_documents_every_code_with_its_name_side_and_wait() -> None:
    said = [
        " ".join((code, _code_of(name), side, wait or "-"))
        for heading in (
            "When the origin is at fault",
            "When the edge refuses",
            "When a rule refuses",
            "When a Worker is at fault",
        )
        for code, name, _, side, wait in rows_of(section_of(_document("errors.md"), heading), first_column="code")
    ]
    true = [
        f"{code} {one.name} {one.side.value} {one.retry_after_s or '-'}"
        for code, one in EXPLANATIONS.items()
        if code not in NOT_YET_SENT
    ]
    complain(difference("docs/errors.md", said, true))


def test_up_documents_every_limit_as_it_is() -> None:
    said = [f"{what}: {limit}" for what, limit, _ in rows_of(_document("up.md"), first_column="what")]
    core = ROOT / "native" / "core" / "src"
    true = [
        f"{what}: {value_of_constant((core / file).read_text(encoding='utf-8'), name)}"
        for what, (file, name) in LIMITS.items()
    ]
    boundary = (ROOT / "src" / "holdfast" / "_native.pyi").read_text(encoding="utf-8")
    for what, argument in ORIGIN_LIMITS.items():
        found = re.search(rf"{argument}: float = (\d+)\.0", boundary)
        assert found, argument
        true.append(f"{what}: {found[1]} s")
    complain(difference("docs/up.md", said, true))


@pytest.mark.parametrize(("struct", "section", "table"), [("ClosedRecord", 0, "event"), ("Direction", 1, "bytes")])
def test_records_documents_every_field(struct: str, section: int, table: str) -> None:
    rust = (ROOT / "native" / "core" / "src" / "registry" / "record.rs").read_text(encoding="utf-8")
    text = section_of(_document("records.md"), "websocket_closed")
    tables = re.split(r"^\| field \|", text, flags=re.MULTILINE)[1:]
    said = [_code_of(row[0]) for row in rows_of("| field |" + tables[section], first_column="field")]
    assert said[0] == table
    complain(difference("docs/records.md", said, fields_of_struct(rust, struct)))


def test_records_documents_every_reason() -> None:
    rust = (ROOT / "native" / "core" / "src" / "registry" / "cause.rs").read_text(encoding="utf-8")
    said = [_code_of(row[0]) for row in rows_of(_document("records.md"), first_column="`why`")]
    complain(difference("docs/records.md", said, variants_of_enum(rust, "Why")))


def test_records_documents_every_event() -> None:
    said = re.findall(r"^## (\w+)$", _document("records.md"), re.MULTILINE)
    rust = [path.read_text(encoding="utf-8") for path in files(".rs", under="native/core/src")]
    python = [path.read_text(encoding="utf-8") for path in files(".py", under="src")]
    true = {event for text in rust for event in events_of_rust(text)} | {
        one for text in python for one in events_of_python(text)
    }
    complain(difference("docs/records.md", said, sorted(true)))


def test_events_are_found_in_both_languages() -> None:
    assert events_of_rust('Record { event: "a_b", .. } json!({"event": "c_d"})') == ["a_b", "c_d"]
    text = 'self._log("a_b", {})\nlog.write("c_d", fields)\nout.write("text")\nyield Record("e_f", fields)'
    assert events_of_python(text) == ["a_b", "c_d", "e_f"]


def test_the_example_of_a_record_has_the_fields_of_one_in_their_order() -> None:
    rust = (ROOT / "native" / "core" / "src" / "registry" / "record.rs").read_text(encoding="utf-8")
    (example,) = examples_in(_document("records.md"))
    assert list(example) == [name for name in fields_of_struct(rust, "ClosedRecord") if name != "detail"]
    for direction in ("to_origin", "to_client"):
        assert list(example[direction]) == fields_of_struct(rust, "Direction")


def test_the_example_of_an_error_has_the_members_of_one_in_their_order() -> None:
    (example,) = examples_in(_document("errors.md"))
    assert list(example) == list(Problem.__struct_fields__)
    meaning = EXPLANATIONS[example["error_code"]]
    assert (example["title"], example["error_name"]) == (meaning.title, meaning.name)
    assert example["what_to_check"][0] == meaning.checks[0]


def test_the_record_in_the_readme_is_part_of_the_one_in_the_documents() -> None:
    (shown,) = examples_in((ROOT / "README.md").read_text(encoding="utf-8"))
    (whole,) = examples_in(_document("records.md"))
    assert {name: value for name, value in shown.items() if name != "..."}.items() <= whole.items()


def test_a_row_too_many_too_few_or_twice_is_a_complaint() -> None:
    assert len(difference("d", ["a", "b", "b"], ["b", "c"])) == 3
    assert difference("d", ["b", "a"], ["a", "b"]) == []


def test_rows_are_read_from_the_named_table_only() -> None:
    text = "| code | x |\n|---|---|\n| 1 | `a\\|b` |\n\n| other | x |\n|---|---|\n| code | c |\n| 2 | d |\n"
    assert list(rows_of(text, first_column="code")) == [["1", "`a|b`"]]


@pytest.mark.parametrize(
    ("rust", "value"),
    [
        ("pub const A_BYTES: usize = 32 * 1024;", "32 KiB"),
        ("const A_BYTES: usize = 16_384;", "16 KiB"),
        ("pub(crate) const A_BYTES: Duration = Duration::from_mins(2);", "120 s"),
        ("    // before\nconst A_BYTES: Duration = Duration::from_secs(10);", "10 s"),
    ],
)
def test_a_constant_of_rust_is_read(rust: str, value: str) -> None:
    assert value_of_constant(rust, "A_BYTES") == value


def test_a_struct_and_an_enum_of_rust_are_read() -> None:
    rust = "#[derive(X)]\nstruct A<'a> {\n    one: u8,\n    #[serde(x)]\n    pub(crate) two: &'a str,\n}\npub enum B {\n    /// Why.\n    EndOfStream,\n    Reset,\n}\n"
    assert fields_of_struct(rust, "A") == ["one", "two"]
    assert variants_of_enum(rust, "B") == ["end_of_stream", "reset"]
