"""What ids of objects are made with: the same in whichever script their class is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.object_names import namespace_of, unique_key

SCRIPTS = st.from_regex(r"[a-z0-9_][a-z0-9_-]{0,20}", fullmatch=True)
CLASSES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}(~[2-9])?", fullmatch=True)


@given(SCRIPTS, SCRIPTS, CLASSES)
def test_a_class_has_one_key_in_every_script(script: str, other: str, name: str) -> None:
    key = unique_key(script, name)
    assert namespace_of(script, key) == name
    assert unique_key(other, namespace_of(other, key)) == key


@pytest.mark.parametrize(
    ("script", "namespace", "key"),
    [("chat", "Room", "chat-Room"), ("chat", "a-b-Room", "a-b-Room"), ("a-b", "Room~2", "a-b-Room~2")],
)
def test_a_key_is_the_script_that_the_class_was_made_in_and_its_name(script: str, namespace: str, key: str) -> None:
    assert unique_key(script, namespace) == key
