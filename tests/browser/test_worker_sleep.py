"""Pages of examples/workers in Chromium whose objects have slept, and have got new code, with the page open all the while."""

import pytest
from playwright.sync_api import Page, expect

from holdfast.model.worker_host_messages import Done
from tests.browser.test_worker_examples import BLUE, joined, place_of, said, until_painted
from tests.integration.waiting import poll
from tests.integration.worker_examples import ServedExample, example_up

# An object sleeps after 10 s, and its process tells of that within another 5 s. The machine may be busy with other tests.
SLEEP_LIMIT_S = 60.0


def opened(page: Page, served: ServedExample) -> tuple[Page, Page]:
    """Two windows of an example."""
    both = page.context.new_page(), page.context.new_page()
    for one in both:
        one.goto(f"http://{served.address}/")
    return both


def until_asleep(served: ServedExample) -> None:
    """Wait until an object of it has left memory with its sockets open, and none is there."""

    def look() -> bool:
        status = served.status
        return bool(status.totals.get("hibernated")) and not any(status.objects.values())

    poll(look, what=f"an object that sleeps: {served.status}", limit_s=SLEEP_LIMIT_S)


def update(served: ServedExample) -> None:
    """Deploy other code."""
    code = served.project / "worker.py"
    code.write_text(code.read_text(encoding="utf-8") + "\nOTHER = True\n", encoding="utf-8")
    before = served.process
    assert served.deploy() == Done()
    assert served.process != before


@pytest.mark.timeout(300)
def test_pages_go_on_after_their_objects_have_slept_and_after_a_deployment(page: Page) -> None:
    with (
        example_up("chat", is_copied=True) as chat,
        example_up("canvas", is_copied=True) as canvas,
        example_up("editor", is_copied=True) as editor,
    ):
        ann, bob = opened(page, chat)
        joined(ann, "ann")
        joined(bob, "bob")
        said(ann, "good night")
        painter, onlooker = opened(page, canvas)
        expect(painter.get_by_role("status")).to_have_text("2 are here")
        writer, reader = opened(page, editor)
        writer.get_by_label("Editor").fill("good night")
        expect(reader.get_by_label("Editor")).to_have_value("good night")

        for number, disturb in enumerate((until_asleep, update)):
            for one in (chat, canvas, editor):
                disturb(one)
            said(bob, f"message {number}")
            expect(ann.locator("#said li.said").last).to_contain_text(f"bobmessage {number}")
            expect(bob.locator("#here li")).to_have_text(["ann", "bob"])
            painter.mouse.click(*place_of(painter, 5, 5 + number))
            assert until_painted(onlooker, 5, 5 + number) == BLUE
            writer.get_by_label("Editor").press("Control+End")
            writer.keyboard.insert_text(f" {number}")
            expect(reader.get_by_label("Editor")).to_have_value(
                "good night" + "".join(f" {one}" for one in range(number + 1))
            )
        expect(onlooker.get_by_role("status")).to_have_text("2 are here")
        expect(writer.get_by_role("status")).to_have_text("saved")
