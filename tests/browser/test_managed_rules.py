"""Chromium under all managed rules, as they come: pages, their sockets and what it asks for by itself are no events."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.test_chromium import CONVERSE, SCHEMES
from tests.integration.certificates import Authority
from tests.integration.test_managed_clients import publish
from tests.integration.test_rules import Recorded
from tests.integration.zone_parts import Bench, bench

HOST = "example.test"


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def parts(tmp_path: Path, authority: Authority, recorded: Recorded) -> Iterator[Bench]:
    with bench(tmp_path, authority.issue(HOST, common_name=HOST)) as everything:
        everything.start_origin()
        everything.start_edge(record=recorded)
        everything.control.welcome()
        publish(everything)
        yield everything


@SCHEMES
@pytest.mark.parametrize(
    "query", ["protocol=chat", "protocol=chat&room=grüße 🌊&next=https://example.test/a?b=c&token=a+b/c=="]
)
def test_a_page_and_its_socket_are_no_events(
    page: Page, parts: Bench, recorded: Recorded, scheme: str, query: str
) -> None:
    port = parts.tls[1] if scheme == "https" else parts.plain[1]
    base = f"{scheme}://{HOST}:{port}"
    answer = page.goto(f'{base}/status/200?q=it\'s "quoted" & <b>')
    assert answer is not None
    assert answer.status == 200
    page.evaluate("document.cookie = 'theme={\"dark\":true}'; document.cookie = '_ga=GA1.2.123.456'")
    url = f"{base.replace('http', 'ws', 1)}/echo?{query}"
    said = page.evaluate(CONVERSE, {"url": url, "protocols": ["chat"], "sizes": [0, 125, 65_536]})
    assert (said["echoed"], said["code"]) == (6, 4000)
    assert recorded.said() == []


def test_a_page_of_another_site_is_logged_and_let_through(page: Page, parts: Bench, recorded: Recorded) -> None:
    page.goto(f"http://127.0.0.1:{parts.plain[1]}/status/200")
    url = f"ws://{HOST}:{parts.plain[1]}/echo"
    said = page.evaluate(CONVERSE, {"url": url, "protocols": [], "sizes": [1]})
    assert said["echoed"] == 2
    [event] = [one for one in recorded.events if one.is_upgrade]
    assert (event.ref, event.action) == ("holdfast-1001", "log")
