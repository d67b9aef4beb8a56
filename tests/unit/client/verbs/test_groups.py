"""The table of groups and the modules it names agree."""

import subprocess
import sys
from importlib import import_module

import pytest
import typer

from holdfast.client.verbs.groups import GROUPS, app_of


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_its_app_with_its_verbs(group: str) -> None:
    app = app_of(group)
    assert isinstance(app, typer.Typer)
    verbs = import_module(f"holdfast.client.verbs.{group}").VERBS
    assert [command.name for command in app.registered_commands] == list(verbs)
    assert all(verb.help for verb in verbs.values())


def test_a_group_that_is_not_there_is_none() -> None:
    with pytest.raises(KeyError):
        app_of("fake_api")


def test_making_the_groups_costs_no_http_client() -> None:
    program = (
        "import sys; from holdfast.client.verbs.groups import GROUPS, app_of; [app_of(g) for g in GROUPS];"
        " print('httpx' in sys.modules, 'rich.table' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.split() == ["False", "False"]
