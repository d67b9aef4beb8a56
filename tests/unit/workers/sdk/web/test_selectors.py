"""Selectors: which elements of a small tree each chooses."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.web.selectors import Selector, State


@dataclass
class Place:
    key: str
    name: str
    values: dict[str, str] = field(default_factory=dict)
    position: int = 1
    position_of_type: int = 1
    children: tuple[Place, ...] = ()


TREE = Place(
    "body", "body", {"class": "x y", "lang": "en-GB"},
    children=(
        Place("p1", "p", {"id": "p1"}, children=(Place("b", "b", {"data-a": "One Two"}),)),
        Place("p2", "p", {"class": "y"}, 2, 2),
        Place("div", "div", {}, 3, 1, children=(Place("p3", "p", {"id": "a.b"}),)),
    ),
)  # fmt: skip


def chosen(selector: str) -> str:
    made = Selector(selector)

    def among(place: Place, above: State | None) -> list[str]:
        is_chosen, state = made.enter(place, above)
        return [
            *([place.key] if is_chosen else []),
            *(key for child in place.children for key in among(child, state)),
        ]

    return " ".join(among(TREE, None))


@pytest.mark.parametrize(
    ("selector", "keys"),
    [
        ("*", "body p1 b p2 div p3"),
        ("P", "p1 p2 p3"),
        ("#p1, div", "p1 div"),
        (".y", "body p2"),
        ("p.y", "p2"),
        ("body.x.y > p", "p1 p2"),
        ("body p", "p1 p2 p3"),
        ("body > div p", "p3"),
        ("body>p>b", "b"),
        ("p b, div > *", "b p3"),
        ("[id]", "p1 p3"),
        ("#a\\.b", "p3"),
        ("[lang|=en]", "body"),
        ("[class~='y']", "body p2"),
        ('[data-a^="One"]', "b"),
        ("[data-a$=two i]", "b"),
        ("[data-a*='e T']", "b"),
        ("[data-a*='']", ""),
        ("p:not(#p1)", "p2 p3"),
        (":not(p, b)", "body div"),
        ("p:first-child", "p1 p3"),
        ("p:nth-child(2n)", "p2"),
        ("p:nth-of-type( odd )", "p1 p3"),
        ("body > *:nth-child(-n+2)", "p1 p2"),
        ("body > *:nth-child(3)", "div"),
    ],
)
def test_a_selector_chooses(selector: str, keys: str) -> None:
    assert chosen(selector) == keys


@pytest.mark.parametrize(
    "selector",
    ["", "p >", "> p", "p + q", "p[", "p:hover", "p::before", "p:not(", "a,,b", "p:nth-child(x)", "p..a", "#", "p:not(a b)", "x" * 5000],
)  # fmt: skip
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(JsTypeError, match=r"^Parser error"):
        Selector(selector)
