"""What a supervisor says to a child, over the lifeline. Values; no socket is touched here.

Law 1: a word is complete: a child that has heard it needs to ask nothing. One that comes later stands in the place of the
one before.
Law 2: a child that does not know a word takes the lifeline for cut, and ends in an orderly way.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Why = Literal["release", "drain"]
Order = Literal["oldest", "idlest"]

# How long what was told to close may take, beyond the window in which it is told: a closing handshake has 10 s.
CLOSING_LIMIT_S = 15.0


class _Word(msgspec.Struct, frozen=True, kw_only=True, tag_field="word"):
    """What all words share: they are told apart by their tag."""


class Stop(_Word, frozen=True, kw_only=True, tag="stop"):
    """End now, in an orderly way: Close 1001 for open WebSockets."""


class Retire(_Word, frozen=True, kw_only=True, tag="retire"):
    """To an edge: take no new connections, keep those that are open, and end with the last of them.

    After `deadline_s` seconds what is left is closed with 1012, evenly over `spread_s` seconds, in `order` ("oldest", "idlest"),
    and cut `closing_limit_s` after that. `why` is "release" or "drain".
    """

    why: Why
    deadline_s: float
    spread_s: float
    order: Order
    closing_limit_s: float = CLOSING_LIMIT_S

    @property
    def longest_s(self) -> float:
        """How long it takes at most."""
        return self.deadline_s + self.spread_s + self.closing_limit_s


class Draining(_Word, frozen=True, kw_only=True, tag="draining"):
    """To control: no new clients are taken any more; whoever asks whether this installation is ready is to be told."""


Word = Stop | Retire | Draining

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Word] = msgspec.json.Decoder(Word)


def encoded(word: Word) -> bytes:
    """`word` as a packet."""
    return _ENCODER.encode(word)


def decoded(packet: bytes) -> Word | None:
    """The word in a packet; None where it is none that is known here."""
    try:
        return _DECODER.decode(packet)
    except (msgspec.DecodeError, UnicodeError):
        return None
