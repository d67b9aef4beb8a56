"""The pages of `examples/workers` in Chromium: two windows of an example see each other."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import LIMIT_MS
from tests.integration.origin import Origin
from tests.integration.worker_examples import ServedExample, example_up

expect.set_options(timeout=LIMIT_MS)


@contextmanager
def windows(page: Page, served: ServedExample, path: str = "/") -> Iterator[tuple[Page, Page]]:
    """Two windows of the example. Fails if one of them met an error of its own, or asked for anything elsewhere."""
    faults = list[str]()

    def requested(request: Request) -> None:
        if served.address not in request.url:
            faults.append(request.url)

    other = page.context.new_page()
    for one in (page, other):
        one.on("pageerror", lambda error: faults.append(str(error)))
        one.on("request", requested)
        one.goto(f"http://{served.address}{path}")
    yield page, other
    assert faults == []


def joined(page: Page, who: str) -> None:
    page.get_by_label("Your name").fill(who)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("status")).to_have_text(f"in lobby as {who}")


def said(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")


def test_two_windows_of_the_chat_see_each_other_and_what_was_said(page: Page) -> None:
    with example_up("chat") as served, windows(page, served) as (ann, bob):
        joined(ann, "ann")
        said(ann, "is <b>anybody</b> here?")
        joined(bob, "bob")
        for one in (ann, bob):
            expect(one.locator("#here li")).to_have_text(["ann", "bob"])
            expect(one.locator("#said li.said")).to_contain_text(["annis <b>anybody</b> here?"])
        said(bob, "I am")
        expect(ann.locator("#said li.said")).to_contain_text(["is <b>anybody</b> here?", "bobI am"])
        bob.close()
        expect(ann.locator("#here li")).to_have_text(["ann"])
        expect(ann.locator("#said li.note").last).to_have_text("bob went")


def test_the_log_of_the_chat_has_room_on_a_phone_stays_where_it_is_read_and_turns_no_line(page: Page) -> None:
    with example_up("chat") as served, windows(page, served) as (ann, bob):
        joined(ann, "ann")
        bob.set_viewport_size({"width": 320, "height": 640})
        joined(bob, "W" * 32)
        for number in range(40):
            said(ann, f"line {number}")
        said(ann, "\u202eturned \u05d0\u05d1")
        expect(bob.locator("#said li.said")).to_have_count(41)
        # It stood at the end, and stays there.
        assert bob.evaluate("at('said').scrollHeight - at('said').scrollTop - at('said').clientHeight") < 2
        line = bob.locator("#said li.said").last
        left = [part.bounding_box() for part in line.locator("b, span, time").all()]
        assert all(one is not None for one in left)
        assert [one["y"] * 1000 + one["x"] for one in left if one] == sorted(
            one["y"] * 1000 + one["x"] for one in left if one
        )
        bob.evaluate("Array.from({length: 60}, (_, one) => handlers.came(`somebody ${one}`)); at('said').scrollTop = 0")
        box = bob.locator("#said").bounding_box()
        assert box is not None
        assert box["height"] > 640 / 4
        said(ann, "the end")
        expect(bob.locator("#said li.said")).to_have_count(42)
        assert bob.evaluate("at('said').scrollTop") == 0
        assert bob.evaluate("document.documentElement.scrollWidth") == 320


def test_a_window_of_the_chat_says_how_many_messages_it_was_not_told(page: Page) -> None:
    with example_up("chat") as served, windows(page, served) as (ann, bob):
        joined(ann, "ann")
        joined(bob, "bob")
        said(bob, "first")
        expect(ann.locator("#said li.said")).to_have_count(1)
        bob.evaluate("for (let one = 0; one < 120; one += 1) socket.send(JSON.stringify({say: `line ${one}`}))")
        expect(bob.locator("#said li.said")).to_have_count(121)
        ann.reload()
        # As one who saw the first message and was away since.
        ann.evaluate("last = 1")
        joined(ann, "ann")
        expect(ann.locator("#said li.said")).to_have_count(100)
        expect(ann.locator("#said li.note").first).to_have_text("20 more were said before these")


def place_of(page: Page, x: int, y: int) -> tuple[float, float]:
    """Where the middle of a cell is in the window."""
    box = page.locator("canvas").bounding_box()
    assert box is not None
    return box["x"] + (x + 0.5) * box["width"] / 96, box["y"] + (y + 0.5) * box["height"] / 64


def colour(page: Page, x: int, y: int) -> list[int]:
    """Red, green and blue of a cell."""
    found = page.evaluate("([x, y]) => [...pen.getImageData(x, y, 1, 1).data].slice(0, 3)", [x, y])
    return [int(one) for one in found]


def until_painted(page: Page, x: int, y: int) -> list[int]:
    page.wait_for_function("([x, y]) => pen.getImageData(x, y, 1, 1).data[1] !== 255", arg=[x, y])
    return colour(page, x, y)


RED, BLUE = [0xD9, 0x2D, 0x3A], [0x25, 0x63, 0xC9]


def test_two_windows_of_the_canvas_draw_together_by_pointer_and_by_keys(page: Page) -> None:
    with example_up("canvas") as served, windows(page, served) as (ann, bob):
        for one in (ann, bob):
            expect(one.get_by_role("status")).to_have_text("2 are here")
        ann.mouse.move(*place_of(ann, 3, 7))
        ann.mouse.down()
        ann.mouse.move(*place_of(ann, 90, 7))
        ann.mouse.up()
        # A line, not the two points where the pointer was seen.
        for x in (3, 4, 45, 90):
            assert until_painted(bob, x, 7) == colour(ann, x, 7) == BLUE
        bob.get_by_label("red").check()
        expect(bob.locator("#cursor")).to_be_hidden()
        bob.locator("canvas").press("ArrowRight")
        expect(bob.locator("#cursor")).to_be_visible()
        bob.locator("canvas").press("Space")
        assert until_painted(ann, 49, 32) == RED
        assert colour(ann, 48, 32) == [255, 255, 255]
        # Two fingers draw two lines. Chromium knows none of them.
        ann.evaluate("canvas.setPointerCapture = () => {}")
        for kind, x, y in (
            ("down", 10, 50),
            ("down", 80, 55),
            ("move", 12, 50),
            ("move", 82, 55),
            ("up", 12, 50),
            ("up", 82, 55),
        ):
            at_x, at_y = place_of(ann, x, y)
            pointer = {"pointerId": y, "clientX": at_x, "clientY": at_y}
            ann.evaluate("([kind, pointer]) => canvas[`onpointer${kind}`]?.(pointer)", [kind, pointer])
        assert until_painted(bob, 12, 50) == until_painted(bob, 82, 55) == BLUE
        assert colour(ann, 46, 52) == colour(ann, 46, 53) == [255, 255, 255]
        bob.reload()
        assert until_painted(bob, 49, 32) == RED
        bob.close()
        expect(ann.get_by_role("status")).to_have_text("you alone are here")


def test_the_page_of_the_rate_limiter_shows_who_is_refused(page: Page, origin: Origin) -> None:
    with example_up("rate_limiter", origin.url) as served, windows(page, served, "/limiter/") as (one, _):
        one.get_by_role("button", name="Open one").click()
        expect(one.locator("#sockets li")).to_have_text(["open"])
        # On a slow machine some come back meanwhile.
        while one.locator("#sockets li.refused").count() == 0:
            one.get_by_role("button", name="Open twelve").click()
            expect(one.locator("#sockets li.asked")).to_have_count(0)
        assert one.locator("#sockets li.open").count() >= 10
        expect(one.locator("#left")).not_to_have_text("10")
        one.get_by_role("button", name="Close all").click()
        expect(one.locator("#sockets li")).to_have_count(0)
        expect(one.locator("#left")).to_have_text("10")


def test_the_page_of_the_proxy_shows_what_the_origin_heard(page: Page, origin: Origin) -> None:
    with example_up("rewriting_proxy", origin.url) as served, windows(page, served, "/rewriting/") as (one, _):
        expect(one.get_by_role("status")).to_have_text("open")
        one.get_by_role("button", name="Send").click()
        expect(one.locator("#said li")).to_have_text(["Charge 4111 1111 1111 1111, I am at 192.0.2.7"])
        expect(one.locator("#heard li")).to_have_text(
            [re.compile(r"^Charge \(card …1111\), I am at guest-[0-9a-f]{6}$")]
        )
        one.get_by_label("Message").fill("-----BEGIN PRIVATE KEY-----")
        one.keyboard.press("Enter")
        one.get_by_label("Message").fill("after it")
        one.keyboard.press("Enter")
        expect(one.locator("#heard li").nth(1)).to_have_text("after it")


def test_two_windows_of_the_editor_write_in_one_text_at_once(page: Page) -> None:
    with example_up("editor") as served, windows(page, served) as (ann, bob):
        texts = [one.get_by_label("Editor") for one in (ann, bob)]
        for one in (ann, bob):
            expect(one.get_by_role("status")).to_have_text("saved")
        texts[0].fill("middle")
        expect(texts[1]).to_have_value("middle")
        # One writes before it and one behind it, in turns, and neither waits for the other.
        texts[0].press("Control+Home")
        texts[1].press("Control+End")
        for before, behind in zip("héllo 😀 ", " wörld 中", strict=True):
            ann.keyboard.insert_text(before)
            bob.keyboard.insert_text(behind)
        for text in texts:
            expect(text).to_have_value("héllo 😀 middle wörld 中")
        # What one deletes around what the other writes.
        texts[1].press("Control+a")
        bob.keyboard.press("Delete")
        for text in texts:
            expect(text).to_have_value("")
        bob.reload()
        ann.keyboard.insert_text("anew")
        expect(texts[1]).to_have_value("anew")


def test_a_window_of_the_editor_loses_nothing_when_the_process_dies(page: Page) -> None:
    with example_up("editor") as served, windows(page, served) as (ann, bob):
        text = ann.get_by_label("Editor")
        expect(ann.get_by_role("status")).to_have_text("saved")
        expect(bob.get_by_role("status")).to_have_text("saved")
        text.focus()
        # Each time something is under way, or was just answered.
        for word in ("one ", "two ", "three "):
            ann.keyboard.insert_text(word)
            os.kill(served.process, signal.SIGKILL)
            ann.keyboard.insert_text("and ")
            expect(ann.get_by_role("status")).to_have_text("saved")
        for one in (ann, bob):
            expect(one.get_by_label("Editor")).to_have_value("one and two and three and ")


def written_at_the_end_of(page: Page, line: int, text: str) -> None:
    page.get_by_label("Editor").press("Control+Home")
    for _ in range(line):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.keyboard.insert_text(text)


def test_windows_of_the_editor_that_write_here_and_there_while_offline_keep_all_of_it(page: Page) -> None:
    with example_up("editor") as served, windows(page, served) as (ann, bob):
        texts = [one.get_by_label("Editor") for one in (ann, bob)]
        for one in (ann, bob):
            expect(one.get_by_role("status")).to_have_text("saved")
        texts[0].fill("Milk\nBread\nEggs\nButter\n")
        expect(texts[1]).to_have_value("Milk\nBread\nEggs\nButter\n")
        page.context.set_offline(True)
        for one in (ann, bob):
            one.evaluate("socket.close()")
            expect(one.get_by_role("status")).to_have_class("closed")
        for line, text in enumerate((" 1 l", "", " 😀", " 250 g")):
            written_at_the_end_of(ann, line, text)
        for line, text in enumerate((" (oat)", " (rye)", "", " (salted)")):
            written_at_the_end_of(bob, line, text)
        # Where Ann wrote behind it he writes something else.
        written_at_the_end_of(bob, 2, "")
        for _ in range(4):
            bob.keyboard.press("Backspace")
        bob.keyboard.insert_text("Oil")
        page.context.set_offline(False)
        for one in (ann, bob):
            expect(one.get_by_role("status")).to_have_text("saved", timeout=LIMIT_MS)
        expect(texts[0]).to_have_value(re.compile(r"Milk.*\n.*\n.*Oil"))
        expect(texts[1]).to_have_value(texts[0].input_value())
        milk, bread, third, butter, rest = texts[0].input_value().split("\n")
        assert milk in {"Milk 1 l (oat)", "Milk (oat) 1 l"}
        assert bread == "Bread (rye)"
        assert sorted(third) == sorted("Oil 😀")
        assert butter in {"Butter 250 g (salted)", "Butter (salted) 250 g"}
        assert rest == ""
        # Who types on, types where the caret was.
        bob.keyboard.insert_text("ive")
        expect(texts[0]).to_have_value(re.compile("Oilive"))


TYPE_SOMEWHERE = """token => {
  const area = document.getElementById("text"), ends = [0, ...[...area.value.matchAll(/>/g)].map(({index}) => index + 1)];
  const at = ends[Math.floor(Math.random() * ends.length)];
  area.setRangeText(token, at, at, "end");
  area.dispatchEvent(new Event("input"));
}"""


def test_windows_of_the_editor_have_each_word_once_though_process_and_connections_die(page: Page) -> None:
    with example_up("editor") as served, windows(page, served) as (ann, bob):
        tokens = list[str]()
        for one in (ann, bob):
            expect(one.get_by_role("status")).to_have_text("saved")
        for turn in range(60):
            for name, one in (("a", ann), ("b", bob)):
                tokens.append(f"<{name}{turn}é👋>")
                one.evaluate(TYPE_SOMEWHERE, tokens[-1])
            if turn % 10 == 3:
                os.kill(served.process, signal.SIGKILL)
            if turn % 10 == 7:
                bob.evaluate("socket.close()")
            if turn % 20 == 19:
                for one in (ann, bob):
                    expect(one.get_by_role("status")).to_have_text("saved")
        for one in (ann, bob):
            expect(one.get_by_role("status")).to_have_text("saved")
            one.wait_for_function("count => area.value.split('>').length === count + 1", arg=len(tokens))
        text = ann.get_by_label("Editor").input_value()
        expect(bob.get_by_label("Editor")).to_have_value(text)
        assert sorted(re.findall("<[^>]*>", text)) == sorted(tokens)
        bob.reload()
        expect(bob.get_by_label("Editor")).to_have_value(text)


def test_half_a_character_does_not_keep_the_editor_from_saving(page: Page) -> None:
    with example_up("editor") as served, windows(page, served) as (ann, bob):
        expect(ann.get_by_role("status")).to_have_text("saved")
        ann.get_by_label("Editor").fill("after")
        ann.evaluate("area.setRangeText('\\ud83d!', 0, 0, 'end'); area.dispatchEvent(new Event('input'))")
        expect(bob.get_by_label("Editor")).to_have_value("\ufffd!after")
        expect(ann.get_by_role("status")).to_have_text("saved")


def test_what_is_too_long_for_the_editor_is_saved_once_it_is_shorter(page: Page) -> None:
    with example_up("editor") as served, windows(page, served) as (ann, bob):
        texts = [one.get_by_label("Editor") for one in (ann, bob)]
        expect(ann.get_by_role("status")).to_have_text("saved")
        # More than one may type into a window, so that it takes two.
        ann.evaluate("area.value = '-'.repeat(49990) + 'end'; typed()")
        expect(texts[1]).to_have_value(re.compile("end$"))
        texts[1].press("Control+End")
        bob.evaluate("area.setRangeText('and much more', area.value.length, area.value.length, 'end'); typed()")
        expect(bob.get_by_role("status")).to_have_text("closed: 1008 a document has at most 50000 characters")
        for _ in "d much more":
            bob.keyboard.press("Backspace")
        expect(bob.get_by_role("status")).to_have_text("saved")
        for text in texts:
            expect(text).to_have_value("-" * 49990 + "endan")
