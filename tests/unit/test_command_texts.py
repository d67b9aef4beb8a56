"""What the commands say of themselves."""

import re

import pytest

from holdfast import command_texts

TEXTS = {name: text for name, text in vars(command_texts).items() if name.endswith("_HELP")}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_begins_with_a_line_that_stands_for_itself_in_the_list_of_commands(name: str) -> None:
    first, _, rest = TEXTS[name].partition("\n")
    assert re.fullmatch(r"[A-Z].*[^.\s].*", first)
    assert len(first) <= 130
    assert not rest or rest.startswith("\n") or not first.endswith(".")


def test_there_are_texts() -> None:
    assert {"UP_HELP", "RUN_HELP", "WORKER_DEV_HELP"} <= set(TEXTS)
