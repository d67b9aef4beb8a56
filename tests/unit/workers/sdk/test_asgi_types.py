"""What `send` raises when nobody is there."""

from holdfast.workers.sdk.asgi_types import ClientGone


def test_frameworks_take_it_for_a_disconnect() -> None:
    # ASGI 2.4: "send() must raise an OSError subclass".
    assert issubclass(ClientGone, OSError)
