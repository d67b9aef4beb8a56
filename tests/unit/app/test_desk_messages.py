"""What people's commands and a supervisor say to each other, also where one of them is of another version."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.app.desk_messages import (
    MAX_MESSAGE_BYTES,
    Answer,
    AskDrain,
    AskRelease,
    Done,
    Progress,
    Question,
    Taken,
    answer_in,
    encoded,
    question_in,
)

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
_QUESTIONS: st.SearchStrategy[Question] = st.one_of(st.builds(AskRelease, python=_TEXT), st.just(AskDrain()))
_ANSWERS: st.SearchStrategy[Answer] = st.one_of(
    st.builds(Taken, pid=st.integers(0, 2**22), limit_s=st.floats(0, 1e7)),
    st.builds(Progress, line=_TEXT),
    st.builds(Done, sentence=_TEXT),
)


@given(_QUESTIONS, _ANSWERS)
def test_what_is_said_is_what_is_heard(question: Question, answer: Answer) -> None:
    assert question_in(encoded(question)) == question
    assert answer_in(encoded(answer)) == answer
    assert answer_in(encoded(question)) is None
    assert question_in(encoded(answer)) is None


@given(st.binary(max_size=200))
def test_whatever_comes_nothing_is_raised(packet: bytes) -> None:
    for message in (question_in(packet), answer_in(packet)):
        assert message is None or message in (question_in(encoded(message)), answer_in(encoded(message)))


def test_what_a_newer_version_adds_is_passed_over() -> None:
    assert question_in(b'{"type":"release","python":"/p","speed":9}') == AskRelease(python="/p")
    assert answer_in(b'{"type":"dance"}') is None


@given(st.sampled_from(["x", "\N{EURO SIGN}", "\0", '"']))
def test_a_sentence_that_is_too_long_is_cut(character: str) -> None:
    packet = encoded(Done(sentence=character * 100_000))
    assert len(packet) <= MAX_MESSAGE_BYTES
    answer = answer_in(packet)
    assert isinstance(answer, Done)
    assert answer.sentence.endswith("…")
