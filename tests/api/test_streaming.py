"""`holdfast.api.streaming`: how many streams there may be. What a client may do on one is in `test_connection_stream.py`."""

from __future__ import annotations

import pytest

from holdfast.api import streaming
from holdfast.api.faults import ApiFault
from holdfast.api.streaming import Streams


def test_a_place_is_given_back_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MAX_STREAMS_OF_OWNER", 1)
    streams = Streams()
    with streams.place("user/a"):
        assert streams.statistics() == {"streams": 1, "owners": 1}
        with pytest.raises(ApiFault) as refused, streams.place("user/a"):
            pass
        assert refused.value.status == 429
        assert refused.value.headers == {"Retry-After": "30"}
        with pytest.raises(KeyError), streams.place("user/b"):
            raise KeyError(streams.statistics()["streams"])
        assert streams.statistics() == {"streams": 1, "owners": 1}
    assert streams.statistics() == {"streams": 0, "owners": 0}
