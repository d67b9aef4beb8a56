"""Commands are values: alike where they say the same, never changed, and every one of them is carried out."""

import ast
import dataclasses
import inspect
from typing import get_args

import pytest

from holdfast.app import supervisor
from holdfast.app.commands import Command, Start


@pytest.mark.parametrize("kind", get_args(Command))
def test_a_command_cannot_be_changed(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    parameters = vars(kind)["__dataclass_params__"]
    assert (parameters.frozen, parameters.eq) == (True, True)


def test_a_supervisor_carries_out_every_command() -> None:
    tree = ast.parse(inspect.getsource(supervisor))
    handled = {
        node.cls.id for node in ast.walk(tree) if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name)
    }
    assert {kind.__name__ for kind in get_args(Command)} <= handled


def test_what_is_as_usual_need_not_be_said() -> None:
    assert Start(1, "edge") == Start(1, "edge", python="", is_successor=False)
