"""What people's commands and a supervisor say to each other over the supervisor's socket: one message a packet, JSON.

Law: the one who asks says one thing. The supervisor says `Taken`, any number of `Progress`, and `Done` last.
"""

from __future__ import annotations

import msgspec

# Longest message either side takes: a path, or a sentence.
MAX_MESSAGE_BYTES = 16 * 1024


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """What all messages share: they are told apart by their tag. What is not known here is passed over."""


class AskRelease(_Message, frozen=True, kw_only=True, tag="release"):
    """Replace the edge, and control; by the interpreter `python`, an absolute path, "" for the one there is."""

    python: str = ""


class AskDrain(_Message, frozen=True, kw_only=True, tag="drain"):
    """Take no new clients, and end with those there are."""


class Taken(_Message, frozen=True, kw_only=True, tag="taken"):
    """It was understood. `pid` is the supervisor, which is done after `limit_s` seconds in any case."""

    pid: int
    limit_s: float


class Progress(_Message, frozen=True, kw_only=True, tag="progress"):
    """How it goes, for people."""

    line: str


class Done(_Message, frozen=True, kw_only=True, tag="done"):
    """It is done, or could not be: then `sentence` says why."""

    sentence: str = ""


Question = AskRelease | AskDrain
Answer = Taken | Progress | Done

_QUESTIONS: msgspec.json.Decoder[Question] = msgspec.json.Decoder(Question)
_ANSWERS: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


def encoded(message: Question | Answer) -> bytes:
    """`message` as a packet. A text that is too long for one is cut."""
    packet = msgspec.json.encode(message)
    if len(packet) > MAX_MESSAGE_BYTES and isinstance(message, Done):
        return msgspec.json.encode(Done(sentence=f"{message.sentence[: MAX_MESSAGE_BYTES // 8]}…"))
    return packet


def question_in(packet: bytes) -> Question | None:
    """The question in a packet; None where it is none."""
    try:
        return _QUESTIONS.decode(packet)
    except (msgspec.DecodeError, UnicodeError):
        return None


def answer_in(packet: bytes) -> Answer | None:
    """The answer in a packet; None where it is none that is known here."""
    try:
        return _ANSWERS.decode(packet)
    except (msgspec.DecodeError, UnicodeError):
        return None
