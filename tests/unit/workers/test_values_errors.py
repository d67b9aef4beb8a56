"""The error of values that cannot be kept."""

import pytest

from holdfast.workers.sdk.errors import DOMException, JsException
from holdfast.workers.values_errors import DataCloneError


@pytest.mark.parametrize("kind", [DataCloneError, DOMException, JsException])
def test_it_is_caught_as_javascripts_error_is(kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        raise DataCloneError("f could not be cloned.")
    assert (caught.value.name, caught.value.message) == ("DataCloneError", "f could not be cloned.")  # type: ignore[attr-defined]
