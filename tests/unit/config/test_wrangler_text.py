"""The text of a Worker's configuration: JSON with comments, TOML, a block in a module."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.config.wrangler_text import MAX_BYTES, read_configuration, read_inline, without_comments
from holdfast.errors import SetupError


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("wrangler.toml", 'name = "chat"\n[vars]\nA = 1\n', {"name": "chat", "vars": {"A": 1}}),
        ("wrangler.json", '{"name": "chat"}', {"name": "chat"}),
        ("wrangler.jsonc", '// head\n{"a": 1, /* one */ "b": [1, 2,],\n}\n// tail', {"a": 1, "b": [1, 2]}),
        ("wrangler.jsonc", '{"a": "// no comment", "b": "/* none */", "c": ",}"}',
         {"a": "// no comment", "b": "/* none */", "c": ",}"}),
        ("wrangler.jsonc", '{"a": "\\"//", // one\n "b": [ {}, /* x */ ], }', {"a": '"//', "b": [{}]}),
        ("wrangler.jsonc", '\ufeff{"a": 1}', {"a": 1}),
        ("wrangler.jsonc", '{"a": 1 /* a comma, and a ] after it: ,] */, "b": 2}', {"a": 1, "b": 2}),
    ],
)  # fmt: skip
def test_a_configuration_is_read(tmp_path: Path, name: str, text: str, found: dict[str, Any]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_configuration(tmp_path / name) == found


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("wrangler.toml", b'name = "chat', "expected TOML"),
        ("wrangler.json", b"{", "expected JSON, with comments or without"),
        ("wrangler.jsonc", b'{"a": 1,\n\n"b" 2}', "line 3 column 5"),
        ("wrangler.jsonc", b'{"a": 1}\n/* never', "the comment that begins on line 2 has no end"),
        ("wrangler.jsonc", b"[]", "expected an object of JSON, got list"),
        ("wrangler.jsonc", b'{"a": NaN}', "NaN is no number of JSON"),
        (
            "wrangler.jsonc",
            b'{"vars": {"A": "\\ud800"}}',
            "vars.A: expected a text of Unicode, without halves of surrogate pairs",
        ),
        ("wrangler.jsonc", b'{"a": [{"\\udc00": 1}]}', "a[0]"),
        ("wrangler.jsonc", b"[" * 100_000, "expected JSON"),
        ("wrangler.jsonc", b'{"a": "\xff"}', "expected text in UTF-8"),
        ("wrangler.jsonc", b" " * (MAX_BYTES + 1), f"at most {MAX_BYTES} bytes"),
        ("wrangler.toml", None, "cannot read"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_file(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SetupError) as caught:
        read_configuration(tmp_path / name)
    assert sentence in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='/*",]}\\ \n', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='/*",', max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(_JSON)
def test_json_without_comments_stays_as_it_is(value: object) -> None:
    text = json.dumps(value, indent=1)
    assert without_comments(text) == text


@given(_JSON, st.sampled_from(["/* , ] */", "// ,]\n", "\n"]))
def test_comments_and_last_commas_change_nothing(value: object, comment: str) -> None:
    text = json.dumps([value], indent=1)
    assert text.endswith("\n]")
    decorated = f"{comment}{text[:-2]},{comment}]{comment}"
    assert json.loads(without_comments(decorated)) == [value]
    assert len(without_comments(decorated)) == len(decorated)


MODULE = """# /// script
# requires-python = ">=3.11"
# [tool.wrangler]
# name = "chat"
# [tool.wrangler.vars]
# A = "b"
# ///
import workers
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (MODULE, {"name": "chat", "vars": {"A": "b"}}),
        (MODULE.replace("\n", "\r\n"), {"name": "chat", "vars": {"A": "b"}}),
        ("import workers\n", {}),
        ("# /// script\n# dependencies = []\n# ///", {}),
        ("", {}),
    ],
)
def test_a_module_may_carry_its_configuration(tmp_path: Path, text: str, found: dict[str, Any]) -> None:
    (tmp_path / "chat.py").write_bytes(text.encode())
    assert read_inline(tmp_path / "chat.py") == found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("# /// script\n# a = \n# ///\n", "expected TOML in its block of inline metadata"),
        (MODULE + MODULE, "expected one block"),
        ("# /// script\n# [tool]\n# wrangler = 1\n# ///\n", "tool.wrangler: expected a table, got 1"),
    ],
)
def test_a_broken_block_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "chat.py").write_text(text, encoding="utf-8")
    with pytest.raises(SetupError, match=sentence):
        read_inline(tmp_path / "chat.py")
