"""What integration tests share: an authority, the fake origin, and an edge in front of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.certificates import Authority, Pair
from tests.integration.edge import Edge
from tests.integration.origin import Origin
from tests.integration.origin_paths import PATHS

# Starts an edge in front of an origin URL, with more arguments; it is stopped, and must end well, with the test (or module).
StartEdge = Callable[..., Edge]

LISTEN = ("--listen", "127.0.0.1:0")
TLS_LISTEN = ("--tls-listen", "127.0.0.1:0")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def leaf(authority: Authority) -> Pair:
    """The certificate of `example.test`, which most tests use as host name."""
    return authority.issue("example.test", "localhost", "127.0.0.1")


@pytest.fixture(scope="session")
def origin() -> Iterator[Origin]:
    with Origin(PATHS) as running:
        yield running


@pytest.fixture(scope="module")
def edge(origin: Origin, leaf: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """One edge a module, plain and TLS, in front of the fake origin."""
    data = tmp_path_factory.mktemp("edge")
    with Edge(origin.url, data, *LISTEN, *TLS_LISTEN, *leaf.arguments()) as running:
        yield running


@pytest.fixture
def start_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartEdge]:
    """Start edges of a test's own: `start_edge(origin_url, "--threads", "1")` listens plainly on a free port."""
    with ExitStack() as stack:

        def start(url: str, *arguments: str | Path) -> Edge:
            listen = () if "--listen" in arguments else LISTEN
            more = [str(argument) for argument in arguments]
            return stack.enter_context(Edge(url, tmp_path_factory.mktemp("edge"), *listen, *more))

        yield start


@pytest.fixture
def token(request: pytest.FixtureRequest) -> str:
    """A word that is in no other request: what finds this test's request at the origin."""
    return f"token-{abs(hash(request.node.nodeid)):x}-{next(_COUNTER)}"


_COUNTER = iter(range(1 << 62))
