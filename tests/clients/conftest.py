"""A running installation for other people's clients, and what they need of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from cloudflare import Cloudflare

from tests.integration.certificates import Authority
from tests.integration.installation import Installation
from tests.integration.origin import Origin
from tests.integration.origin_paths import PATHS

T = TypeVar("T")
UNLIMITED = ("--control-rate-limit", "0", "--control-ip-rate-limit", "0")


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of one test."""

    id: str
    name: str


def given(result: T | None) -> T:
    """A result that is there. The SDK types most as optional."""
    assert result is not None
    return result


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def origin() -> Iterator[Origin]:
    with Origin(PATHS) as running:
        yield running


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(Path(tmp_path_factory.mktemp("clients")), *UNLIMITED) as running:
        yield running


@pytest.fixture(scope="module")
def strict(installed: Installation) -> Iterator[Cloudflare]:
    """The official SDK as the owner, which refuses every answer that has not exactly the shape it knows."""
    with Cloudflare(
        api_token=installed.token, base_url=installed.api, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture(scope="module")
def account_id(strict: Cloudflare) -> str:
    (account,) = strict.accounts.list()
    return account.id


@pytest.fixture
def zone(strict: Cloudflare, account_id: str, request: pytest.FixtureRequest) -> Iterator[Zone]:
    name = f"zone-{abs(hash(request.node.nodeid)):x}.example"
    made = given(strict.zones.create(account={"id": account_id}, name=name))
    yield Zone(made.id, name)
    strict.zones.delete(zone_id=made.id)
