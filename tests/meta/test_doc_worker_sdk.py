"""docs/worker-sdk.md lists what `js` has: no name too many, none too few."""

import ast
import re
from pathlib import Path

from holdfast.workers.sdk.importing import USER_PATH
from tests.meta.test_doc_tables import rows_of
from tests.meta.tree import ROOT


def exported() -> set[str]:
    """`__all__` of `js`, which is not imported: it is for scripts alone."""
    tree = ast.parse((Path(USER_PATH) / "js" / "__init__.py").read_text(encoding="utf-8"))
    (names,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    ]
    return set(names)


def test_the_table_of_javascripts_names_is_what_js_has() -> None:
    text = (ROOT / "docs" / "worker-sdk.md").read_text(encoding="utf-8")
    told = [name for _, names in rows_of(text, first_column="what for") for name in re.findall(r"`(\w+)`", names)]
    assert len(told) == len(set(told))
    assert set(told) == exported()
