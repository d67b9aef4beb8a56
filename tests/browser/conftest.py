"""A headless Chromium of Debian, with nothing of its own on the network."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.integration.conftest import authority, edge, leaf, origin, token

__all__ = ["authority", "edge", "leaf", "origin", "token"]

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-first-run",
    # The one name these tests use, without asking any resolver.
    "--host-resolver-rules=MAP example.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


# For whatever a page waits for, and for Chromium's start. The machine may be busy with other tests.
LIMIT_MS = 60_000


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A page of a Chromium with a profile of its own, which takes the test authority's certificates for good.

    One a test: while Playwright's synchronous API runs, its thread has a running event loop, in which no asynchronous
    test of the same worker could start another.
    """
    with chromium(tmp_path / "chromium") as opened:
        yield opened


@contextmanager
def chromium(profile: Path, *flags: str) -> Iterator[Page]:
    """A page of a Chromium of its own, with more flags."""
    program = shutil.which("chromium")
    assert program is not None, "this test needs Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=program, args=[*FLAGS, *flags], ignore_https_errors=True, timeout=LIMIT_MS
        )
        context.set_default_timeout(LIMIT_MS)
        yield context.new_page()
        context.close()
