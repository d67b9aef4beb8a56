"""All behaviours of the fake origin, by the first word of the path."""

from tests.integration.origin import Behaviour
from tests.integration.origin_http_paths import HTTP_PATHS, PAGE, chunk
from tests.integration.origin_websocket_paths import WEBSOCKET_PATHS

__all__ = ["PAGE", "PATHS", "chunk"]

PATHS: dict[str, Behaviour] = {**WEBSOCKET_PATHS, **HTTP_PATHS}
