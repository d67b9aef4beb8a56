"""The one module of the platform that can be asked for by its JavaScript name."""

import pytest

from holdfast.workers.sdk.entrypoints import DurableObject
from holdfast.workers.sdk.modules import import_from_javascript, run_js


def test_the_platforms_own_module_is_known() -> None:
    module = import_from_javascript("cloudflare:workers")
    assert module.DurableObject is DurableObject
    assert callable(module.waitUntil)
    assert repr(module.env).startswith("Env(")


@pytest.mark.parametrize("name", ["cloudflare:sockets", "./lib.js", ""])
def test_every_other_is_an_import_error_that_names_it(name: str) -> None:
    with pytest.raises(ImportError, match=f"Failed to import '{name}'"):
        import_from_javascript(name)


def test_code_of_the_other_language_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="there is no JavaScript here"):
        run_js("1 + 1")
