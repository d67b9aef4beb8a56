"""`holdfast.limits.counters`: counters in a buffer, beside the same windows in a dictionary."""

import math
import mmap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.limits.counters import MAX_COUNT, MAX_KNOWN, MAX_KNOWN_BYTES, Memory, RateCounters
from holdfast.limits.verdict import Verdict
from holdfast.limits.window import Window

NOW = 1_700_000_000.0
HEADER_BYTES, BUCKET_BYTES, WAYS = 4096, 512, 16
SECRET = b"sixteen bytes of chance"


def a_memory(buckets: int = 64) -> bytearray:
    return bytearray(HEADER_BYTES + buckets * BUCKET_BYTES)


def counters(memory: Memory | None = None) -> RateCounters:
    return RateCounters(a_memory() if memory is None else memory, secret=SECRET)


def passed(count: int) -> Verdict:
    return Verdict(is_limited=False, retry_after_s=0, count=count)


def limited(retry_after_s: int, count: int) -> Verdict:
    return Verdict(is_limited=True, retry_after_s=retry_after_s, count=count)


def hit(
    of: RateCounters,
    key: bytes = b"key",
    *,
    after_s: float = 0.0,
    period_s: int = 10,
    limit: int = 5,
    mitigation_s: int = 0,
    is_counted: bool = True,
) -> Verdict:
    return of.hit(
        key, now=NOW + after_s, period_s=period_s, limit=limit, mitigation_s=mitigation_s, is_counted=is_counted
    )


@pytest.mark.parametrize("mitigation_s", [0, 10, 600])
@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_the_first_window_lets_the_limit_through_and_not_one_more(limit: int, mitigation_s: int) -> None:
    rate = counters()
    verdicts = [
        hit(rate, limit=limit, mitigation_s=mitigation_s, after_s=9 * place / limit) for place in range(limit + 1)
    ]
    assert [one.is_limited for one in verdicts] == [False] * limit + [True]
    assert [one.count for one in verdicts] == list(range(1, limit + 2))
    assert all(one.retry_after_s == 0 for one in verdicts[:-1])


def test_a_limit_of_nothing_limits_everything() -> None:
    assert hit(counters(), limit=0) == limited(10, 1)
    assert hit(counters(), limit=0, mitigation_s=600) == limited(600, 1)


def test_what_is_throttled_is_not_counted_and_passes_again_when_it_was_told() -> None:
    rate = counters()
    for _ in range(5):
        hit(rate)
    assert hit(rate, after_s=4) == limited(6, 6)
    assert [hit(rate, after_s=9).is_limited for _ in range(50)] == [True] * 50
    assert hit(rate, after_s=10) == passed(1)


def test_the_window_before_weighs_as_much_as_is_left_of_it() -> None:
    rate = counters()
    for place in range(5):
        hit(rate, after_s=2.0 * place)
    assert hit(rate, after_s=10) == limited(2, 6)
    assert hit(rate, after_s=12) == passed(5)
    assert hit(rate, after_s=12).is_limited
    assert not hit(rate, after_s=14).is_limited


def test_a_mitigation_lasts_as_long_as_it_says_and_counts_nothing_meanwhile() -> None:
    rate = counters()
    for _ in range(6):
        hit(rate, mitigation_s=60)
    assert hit(rate, after_s=0.5, mitigation_s=60) == limited(60, 5)
    assert hit(rate, after_s=59.5, mitigation_s=60) == limited(1, 5)
    assert hit(rate, after_s=60, mitigation_s=60) == passed(1)


def test_a_mitigation_shorter_than_the_period_forgives_only_what_it_waited_for() -> None:
    rate = counters()
    for _ in range(6):
        hit(rate, mitigation_s=2)
    assert not hit(rate, after_s=2, mitigation_s=2).is_limited
    assert hit(rate, after_s=2, mitigation_s=2) == limited(2, 6)


def test_looking_counts_nothing_and_sees_what_is_limited() -> None:
    rate = counters()
    assert hit(rate, is_counted=False, limit=0) == passed(0)
    for _ in range(5):
        hit(rate, mitigation_s=60)
    assert [hit(rate, mitigation_s=60, is_counted=False) for _ in range(9)] == [passed(5)] * 9
    assert hit(rate, mitigation_s=60).is_limited
    assert hit(rate, mitigation_s=60, is_counted=False, after_s=10) == limited(50, 5)


def test_a_limit_that_was_lowered_holds_at_once_and_for_no_longer_than_it_says() -> None:
    rate = counters()
    for _ in range(100):
        hit(rate, limit=100)
    assert hit(rate, limit=5, is_counted=False, after_s=1).is_limited is False
    assert hit(rate, limit=5, after_s=1) == limited(9, 6)
    for _ in range(101):
        hit(rate, b"other", limit=100, mitigation_s=86_400)
    assert hit(rate, b"other", limit=100, mitigation_s=60, after_s=50) == limited(10, 100)
    assert not hit(rate, b"other", limit=100, mitigation_s=0, after_s=50).is_limited


def test_a_clock_that_steps_back_does_not_limit_for_longer() -> None:
    rate = counters()
    for _ in range(6):
        hit(rate, mitigation_s=60)
    assert hit(rate, after_s=-3600, mitigation_s=60).retry_after_s == 60
    assert not hit(rate, after_s=-3540, mitigation_s=60).is_limited
    for _ in range(5):
        hit(rate, b"other")
    assert hit(rate, b"other", after_s=-3600).is_limited
    assert not hit(rate, b"other", after_s=-3590).is_limited


def test_a_count_that_is_full_stays_full() -> None:
    memory = a_memory(1)
    rate = counters(memory)
    hit(rate, limit=2**40)
    place = HEADER_BYTES + 8 * WAYS + 12
    memory[place : place + 4] = (MAX_COUNT - 1).to_bytes(4, "little")
    assert [hit(rate, limit=2**40).count for _ in range(3)] == [MAX_COUNT, MAX_COUNT + 1, MAX_COUNT + 1]


@st.composite
def floods(draw: st.DrawFn) -> list[tuple[bytes, float, bool]]:
    """Requests of three clients in time that mostly passes, in eighths of a second, which floats and milliseconds hold."""
    now, found = 0.0, []
    for _ in range(draw(st.integers(1, 60))):
        now += draw(st.sampled_from((0, 0, 0, 1, 3, 8, 20, 80, 200, -4, -400))) / 8
        found.append((draw(st.sampled_from((b"a", b"b", b"c"))), now, draw(st.booleans())))
    return found


@given(floods(), st.sampled_from((1, 3, 10, 60)), st.integers(0, 9), st.sampled_from((0, 1, 5, 10, 60)))
def test_counters_say_what_windows_in_a_dictionary_say(
    flood: list[tuple[bytes, float, bool]], period_s: int, limit: int, mitigation_s: int
) -> None:
    rate, windows = counters(), dict[bytes, Window]()
    for key, after_s, is_counted in flood:
        said = hit(
            rate,
            key,
            after_s=after_s,
            period_s=period_s,
            limit=limit,
            mitigation_s=mitigation_s,
            is_counted=is_counted,
        )
        expected = _judged(windows, key, NOW + after_s, period_s, limit, mitigation_s, is_counted)
        assert said.is_limited is expected
        assert (said.retry_after_s > 0) is expected
        assert said.retry_after_s <= max(mitigation_s, 2 * period_s)


def _judged(
    windows: dict[bytes, Window],
    key: bytes,
    now: float,
    period_s: int,
    limit: int,
    mitigation_s: int,
    is_counted: bool,
) -> bool:
    """The whole of what a counter does, but for how it remembers."""
    if key not in windows and not is_counted:
        return False
    kept = windows.setdefault(key, Window(now))
    window = Window(*[getattr(kept, name) for name in kept.__struct_fields__])
    if is_counted:
        windows[key] = window
    if window.limited_s and window.mitigated_s(now, mitigation_s):
        windows[key] = window
        return True
    window.move_to(now, period_s)
    # A clock that steps back makes the bucket before weigh more again.
    window.bounded_by(limit)
    if window.estimate(now, period_s) + is_counted <= limit + 1e-6:
        if is_counted:
            window.add(now)
        return False
    if is_counted and mitigation_s:
        window.mitigate(now, period_s, mitigation_s)
    return True


@given(
    st.lists(st.integers(0, 40), max_size=60),
    st.integers(1, 10),
    st.integers(1, 6),
    st.sampled_from((0, 2, 10, 60)),
)
def test_who_comes_back_when_it_was_told_passes(gaps: list[int], period_s: int, limit: int, mitigation_s: int) -> None:
    rate, after_s = counters(), 0.0
    for gap in gaps:
        after_s += gap / 8
        said = hit(rate, after_s=after_s, period_s=period_s, limit=limit, mitigation_s=mitigation_s)
        if said.is_limited and (mitigation_s == 0 or mitigation_s >= period_s):
            after_s += said.retry_after_s
            assert not hit(rate, after_s=after_s, period_s=period_s, limit=limit, mitigation_s=mitigation_s).is_limited


def test_counters_are_found_again_with_their_secret(tmp_path: Path) -> None:
    file = tmp_path / "rate_counters"
    file.write_bytes(a_memory())
    with file.open("r+b") as opened:
        with mmap.mmap(opened.fileno(), 0) as first:
            before = RateCounters(first, secret=b"one")
            for _ in range(5):
                hit(before)
            assert before.statistics()["rate_counters_kept"] == 0
        with mmap.mmap(opened.fileno(), 0) as second, mmap.mmap(opened.fileno(), 0) as third:
            after, beside = RateCounters(second, secret=b"another"), RateCounters(third, secret=b"a third")
            assert hit(after).is_limited
            assert hit(beside).is_limited
            assert after.statistics()["rate_counters_kept"] == 1
            hit(after, b"new")
            assert hit(beside, b"new").count == 2


@pytest.mark.parametrize("place", [0, 8, 12, 16, 24, 60, 71])
def test_a_header_of_something_else_begins_anew(place: int) -> None:
    memory = a_memory()
    for _ in range(6):
        hit(counters(memory))
    assert hit(counters(memory)).is_limited
    memory[place] ^= 1
    assert not hit(counters(memory)).is_limited
    assert not any(memory[HEADER_BYTES + 64 * BUCKET_BYTES :])


def test_memory_of_another_size_begins_anew() -> None:
    memory = a_memory(64)
    for _ in range(6):
        hit(counters(memory))
    larger = memory + bytes(BUCKET_BYTES)
    assert not hit(counters(larger)).is_limited


def test_memory_that_holds_no_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="memory: 4607 bytes, expected 4608 at least"):
        counters(bytearray(HEADER_BYTES + BUCKET_BYTES - 1))


@given(st.binary(max_size=3 * BUCKET_BYTES), st.randoms(use_true_random=False), st.sampled_from((0, 60)))
def test_whatever_is_in_the_memory_a_key_is_limited_for_no_longer_than_its_rule_says(
    damage: bytes, chance: object, mitigation_s: int
) -> None:
    memory = a_memory(1)
    rate = counters(memory)
    for number in range(20):
        hit(rate, b"%d" % number, mitigation_s=60, limit=number % 3)
    for place, byte in enumerate(damage):
        if byte:
            at = HEADER_BYTES + (place * 7 + len(damage)) % BUCKET_BYTES
            memory[at] = byte
    for number in range(20):
        said = hit(rate, b"%d" % number, mitigation_s=mitigation_s, after_s=1)
        assert 0 <= said.retry_after_s <= 60
        again = hit(rate, b"%d" % number, mitigation_s=mitigation_s, after_s=1 + 60, is_counted=False)
        assert not again.is_limited


def test_a_full_bucket_gives_up_what_is_over_then_what_was_seen_least_and_what_is_limited_last() -> None:
    memory = a_memory(1)
    rate = counters(memory)
    hit(rate, b"over", period_s=1)
    for _ in range(6):
        hit(rate, b"limited", mitigation_s=600)
    for _ in range(3):
        hit(rate, b"busy", limit=100, after_s=3)
    for number in range(WAYS - 3):
        hit(rate, b"seen once %d" % number, after_s=3 + number / 100)
    assert rate.statistics()["rate_counter_evictions"] == 0
    hit(rate, b"new", after_s=4)
    assert rate.statistics()["rate_counter_evictions"] == 0
    assert hit(rate, b"over", is_counted=False, period_s=1).count == 0
    for number in range(1_000):
        hit(rate, b"flood %d" % number, after_s=4)
    assert rate.statistics()["rate_counter_evictions"] == 1_000
    assert hit(rate, b"busy", is_counted=False, limit=100, after_s=5).count == 3
    assert hit(rate, b"limited", is_counted=False, mitigation_s=600, after_s=5).is_limited


def test_half_as_many_keys_as_places_are_all_but_kept() -> None:
    buckets = 512
    rate = counters(a_memory(buckets))
    keys = [b"client %d" % number for number in range(buckets * WAYS // 2)]
    for key in keys:
        hit(rate, key, period_s=60)
    lost = sum(hit(rate, key, period_s=60, is_counted=False).count == 0 for key in keys)
    assert lost / len(keys) < 0.01
    assert rate.statistics()["rate_counter_insertions"] == len(keys)


def test_a_tag_that_only_seems_to_stand_there_is_not_one() -> None:
    """The end of one tag and the beginning of the next may look like a third, or like an empty place."""
    memory = a_memory(1)
    rate = counters(memory)
    hit(rate, b"first")
    tag = bytes(memory[HEADER_BYTES : HEADER_BYTES + 8])
    memory[HEADER_BYTES : HEADER_BYTES + 16] = b"\1\1\1\1" + tag + b"\1\1\1\1"
    assert hit(rate, b"first").count == 1
    memory[HEADER_BYTES : HEADER_BYTES + 8 * WAYS] = b"\1\1\1\1\0\0\0\0" + b"\0\0\0\0\1\1\1\1" + b"\1" * 8 * (WAYS - 2)
    assert hit(rate, b"second").count == 1
    assert hit(rate, b"second").count == 2


def test_where_a_key_is_is_remembered_for_so_many_keys_only() -> None:
    rate = counters(a_memory(buckets=8_192))
    for number in range(2 * MAX_KNOWN + 1):
        assert [hit(rate, b"%d" % number).count for _ in range(2)] == [1, 2]
    assert len(rate._known) == 1
    assert [hit(rate, b"k" * (MAX_KNOWN_BYTES + 1)).count for _ in range(2)] == [1, 2]
    assert len(rate._known) == 1


def test_a_key_that_comes_once_pushes_out_none_that_is_remembered() -> None:
    rate = counters()
    for number in range(100):
        hit(rate, b"%d" % number)
    assert not rate._known


def test_a_key_whose_remembered_place_another_has_taken_begins_anew() -> None:
    memory = a_memory(buckets=1)
    rate = counters(memory)
    assert [hit(rate, b"first").count for _ in range(3)] == [1, 2, 3]
    memory[HEADER_BYTES : HEADER_BYTES + 8] = b"\1" * 8
    assert [hit(rate, b"first").count for _ in range(3)] == [1, 2, 3]


def test_statistics_count_what_happened() -> None:
    rate = counters()
    for _ in range(7):
        hit(rate)
    assert rate.statistics() == {
        "rate_counter_places": 64 * WAYS,
        "rate_counter_insertions": 1,
        "rate_counter_evictions": 0,
        "rate_limited": 2,
        "rate_counters_kept": 0,
    }
    assert math.isfinite(sum(rate.statistics().values()))
