"""What tests of the API share: a control over each of the two databases."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.api.harness")

from holdfast.api.context import Limits  # noqa: E402  # after the registration above
from tests.api import harness  # noqa: E402
from tests.api.harness import Api  # noqa: E402
from tests.api.worker_uploads import script_path, upload  # noqa: E402
from tests.api.workers import FakeWorkers  # noqa: E402

# Starts a control with these limits over the test's database.
StartApi = Callable[[Limits], Awaitable[Api]]


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """A control without rate limits; its owner's token may do everything."""
    running = await harness.start(database_url, tmp_path)
    yield running
    await running.close()


@pytest.fixture
async def start_api(database_url: str, tmp_path: Path) -> AsyncIterator[StartApi]:
    """The same, with the limits that a test asks for."""
    started: list[Api] = []

    async def start(limits: Limits) -> Api:
        started.append(await harness.start(database_url, tmp_path, limits=limits))
        return started[-1]

    yield start
    for running in started:
        await running.close()


@pytest.fixture
def workers() -> FakeWorkers:
    """Who runs scripts for `worker_api`."""
    return FakeWorkers()


@pytest.fixture
async def worker_api(database_url: str, tmp_path: Path, workers: FakeWorkers) -> AsyncIterator[Api]:
    """A control that has somebody who runs scripts."""
    running = await harness.start(database_url, tmp_path, workers=workers)
    yield running
    await running.close()


@pytest.fixture
async def worker_zone_id(worker_api: Api) -> str:
    """A zone of `worker_api`, whose account has the scripts `chat` and `other`."""
    for name in ("chat", "other"):
        await worker_api.result("PUT", script_path(worker_api, name), **upload())
    return await worker_api.zone()
