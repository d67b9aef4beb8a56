"""Counters of requests by key, in a buffer that is the whole of their memory: a bytearray, or a file that is mapped.

    header (one page) | bucket | bucket | ...         a bucket: 16 tags of 8 bytes, then 16 records of 24 bytes

Law 1: memory is what the buffer is. A key that comes anew takes the place of what is worth least in its bucket: what is
       empty or over, then who was seen least, and only among nothing else a key that is being limited.
Law 2: a key is found by a digest with a secret that lies in the header, so that nobody outside can aim at a bucket, and
       counters are found again by the next process that maps the file. The key itself is not kept.
Law 3: a buffer may hold anything. A header of another version, size or none at all begins anew; a record that makes no
       sense counts as none (`Window`, law 4). Nothing in it raises.
Law 4: a process that is killed while it writes leaves at worst one record of one key with old and new fields mixed: a new
       key's tag is written when its record is there. Two processes that map one file (a release) see each other's counters.
       What one counts of a key while the other is between reading and writing the same key (a microsecond, or as long as
       the system holds it up there) is lost to the count; where both take the same place for new keys, one begins anew.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import struct
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from holdfast.limits.verdict import Verdict
from holdfast.limits.window import MAX_STEP_BACK_S, TICK_S, TOLERANCE, Window

Memory: TypeAlias = bytearray | mmap.mmap

VERSION = 1
# Two million places: at a million keys one in a thousand has been crowded out. As a sparse file it takes what is used.
DEFAULT_BYTES = 64 * 1024 * 1024
# The longest that rate limiting rules can say, for periods and mitigations.
MAX_SECONDS = 86_400
# Beyond it a count stays as it is.
MAX_COUNT = 2**31 - 1

# Keys whose place is remembered when they come for the second time: a flood comes from the same clients again. All of it is
# forgotten when it is full.
MAX_KNOWN = 4_096
MAX_KNOWN_BYTES = 256

_WAYS = 16
_HEADER_BYTES = 4096
_TAG_BYTES = 8
_TAGS_BYTES = _WAYS * _TAG_BYTES
_NO_TAG = bytes(_TAG_BYTES)
# Start (Unix seconds), the previous bucket, the current one or _LIMITED, milliseconds from the start to the last request
# or seconds to the end of the mitigation, the period.
_RECORD = struct.Struct("<dfIiI")
# The two fields of it that most requests change, and where they stand.
_CHANGING = struct.Struct("<Ii")
_CHANGING_AT = 12
_RECORDS_BYTES = _WAYS * _RECORD.size
_BUCKET_BYTES = _TAGS_BYTES + _RECORDS_BYTES
# For each place of a bucket, what reads a tag and the record that belongs to it in one step, without the period.
_TAGS_AND_RECORDS = tuple(
    struct.Struct(f"<{_TAG_BYTES}s{_TAGS_BYTES - _TAG_BYTES + way * (_RECORD.size - _TAG_BYTES)}xdfIi").unpack_from
    for way in range(_WAYS)
)
# Of a key: its tag, what reads it and its record, where the tag stands, where the record does.
_Known: TypeAlias = tuple[bytes, Callable[[Memory, int], tuple[Any, ...]], int, int]
# What is no key's.
_NOWHERE: _Known = b"", _TAGS_AND_RECORDS[0], _HEADER_BYTES, 0
_LIMITED = 2**32 - 1

_HEADER = struct.Struct("<8sIIQ32s")
_MAGIC = b"HFCOUNTS"
_CHECK_BYTES = 16
_SECRET_BYTES = 32
_DIGEST = struct.Struct("<Q8s")
_ZEROED_AT_ONCE = 1024 * 1024

_blake2b = hashlib.blake2b
_unpack_digest = _DIGEST.unpack_from
_pack_changing = _CHANGING.pack_into


class RateCounters:
    """Counters over `memory`, at least a header and a bucket (4,608 bytes).

    `secret` (random, 16 bytes at least) is for memory that has none yet; the one in a good header stays. Of two processes
    that begin the same memory at once, each would count for itself: let one come after the other.
    """

    __slots__ = ("_buckets", "_evictions", "_insertions", "_known", "_limited", "_memory", "_secret", "_was_kept")

    def __init__(self, memory: Memory, *, secret: bytes) -> None:
        buckets = (len(memory) - _HEADER_BYTES) // _BUCKET_BYTES
        if buckets < 1:
            raise ValueError(f"memory: {len(memory)} bytes, expected {_HEADER_BYTES + _BUCKET_BYTES} at least")
        kept = _secret_in(memory, buckets)
        self._was_kept = kept is not None
        self._memory = memory
        self._buckets = buckets
        self._secret = kept or _begin(memory, buckets, secret)
        self._known: dict[bytes, _Known] = {}
        self._insertions = self._evictions = self._limited = 0

    def hit(
        self,
        key: bytes,
        *,
        now: float,
        period_s: int,
        limit: int,
        mitigation_s: int,
        is_counted: bool = True,
    ) -> Verdict:
        """Count one request of `key` at `now` (Unix seconds), unless it is beyond `limit` in `period_s` seconds.

        Beyond it, the key is limited for `mitigation_s` seconds, in which nothing is counted; with 0 only what is too much
        is limited. With `is_counted` false it only looks whether the key is limited now, or has counted more than `limit`.
        `period_s` is 1 to 86,400. What the key must tell apart (the rule, the client) is the caller's to put into it.
        """
        memory = self._memory
        own_tag, read, tag_at, place = self._known.get(key, _NOWHERE)
        tag, start, previous, count, offset = read(memory, tag_at)
        if tag != own_tag:
            # It comes anew, or for the second time, or another has taken its place.
            bucket, own_tag = self._where(key)
            way = self._way_of(own_tag, bucket)
            if way is None:
                asked = _Asked(now, period_s, limit, mitigation_s)
                return self._first(bucket, own_tag, asked) if is_counted else _NOTHING_COUNTED
            _, read, tag_at, place = self._know(key, own_tag, bucket, way)
            _, start, previous, count, offset = read(memory, tag_at)
        elapsed = now - start
        if 0.0 <= elapsed < period_s and offset >= 0:
            # What is neither over, nor turning, nor nonsense: by far the most requests. The last one came in this bucket
            # (`offset`), so that it is not a period ago.
            if count < limit and is_counted and count < MAX_COUNT and previous >= 0.0:
                estimate = count + 1
                if not previous:
                    _pack_changing(memory, place + _CHANGING_AT, estimate, int(elapsed * 1000))
                    return Verdict(False, 0, estimate)  # noqa: FBT003
                estimate += previous * (period_s - elapsed) / period_s
                if estimate <= limit + TOLERANCE:
                    _pack_changing(memory, place + _CHANGING_AT, count + 1, int(elapsed * 1000))
                    return Verdict(False, 0, int(estimate))  # noqa: FBT003
            if count == _LIMITED and 0.0 <= previous <= MAX_COUNT:
                left_s = min(offset, mitigation_s, MAX_SECONDS) - elapsed
                if left_s > 0:
                    return self._limit(left_s, int(previous))
        asked = _Asked(now, period_s, limit, mitigation_s)
        return self._judge(place, _window(start, previous, count, offset), asked, is_counted=is_counted)

    def statistics(self) -> dict[str, int]:
        """Places in all; and of this process: keys that came anew, those of them that took the place of a key that was not
        over, requests that were limited; and whether the counters of an earlier process were found (1) or not (0)."""
        return {
            "rate_counter_places": self._buckets * _WAYS,
            "rate_counter_insertions": self._insertions,
            "rate_counter_evictions": self._evictions,
            "rate_limited": self._limited,
            "rate_counters_kept": int(self._was_kept),
        }

    def _where(self, key: bytes) -> tuple[int, bytes]:
        """Where the bucket of a key begins, and its tag."""
        # Of 64 bytes, 16 are used: asking for fewer takes longer. A prefix is all the key that BLAKE2 needs, for no digest
        # says what that of a longer text is (RFC 7693 §1).
        number, tag = _unpack_digest(_blake2b(self._secret + key).digest())
        return _HEADER_BYTES + number % self._buckets * _BUCKET_BYTES, tag

    def _way_of(self, tag: bytes, bucket: int) -> int | None:
        """Which place of its bucket a key has, None if it has none."""
        found = self._memory.find(tag, bucket, bucket + _TAGS_BYTES) - bucket
        # Bytes of two tags may look like another.
        return None if found < 0 or found % _TAG_BYTES else found // _TAG_BYTES

    def _know(self, key: bytes, tag: bytes, bucket: int, way: int) -> _Known:
        """Remember where the record of a key is, that is there."""
        found = tag, _TAGS_AND_RECORDS[way], bucket + way * _TAG_BYTES, bucket + _TAGS_BYTES + way * _RECORD.size
        if len(key) <= MAX_KNOWN_BYTES:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[key] = found
        return found

    def _first(self, bucket: int, tag: bytes, asked: _Asked) -> Verdict:
        """The same for a key that comes anew."""
        now, period_s, limit, _ = asked
        place = self._place_for(tag, bucket, now)
        if limit < 1:
            return self._judge(place, Window(now), asked, is_counted=True)
        _RECORD.pack_into(self._memory, place, now, 0.0, 1, 0, period_s)
        return Verdict(False, 0, 1)  # noqa: FBT003

    def _judge(self, place: int, window: Window, asked: _Asked, *, is_counted: bool) -> Verdict:
        """The same for what is not simple, and for what is limited."""
        now, period_s, limit, mitigation_s = asked
        if window.limited_s:
            left_s = window.mitigated_s(now, mitigation_s)
            if left_s > 0:
                self._keep(place, window, period_s)
                return self._limit(left_s, int(window.previous))
        window.move_to(now, period_s)
        window.bounded_by(min(limit, MAX_COUNT))
        estimate = window.estimate(now, period_s) + is_counted
        if estimate <= limit + TOLERANCE:
            if is_counted:
                window.add(now)
                self._keep(place, window, period_s)
            return Verdict(False, 0, int(estimate))  # noqa: FBT003
        if is_counted and mitigation_s > 0:
            window.mitigate(now, period_s, mitigation_s)
            left_s = float(mitigation_s)
        else:
            left_s = window.free_after_s(now, period_s, limit)
        if is_counted:
            self._keep(place, window, period_s)
        return self._limit(left_s, int(estimate))

    def _limit(self, left_s: float, count: int) -> Verdict:
        self._limited += 1
        return Verdict(True, max(1, math.ceil(left_s - TICK_S)), count)  # noqa: FBT003

    def _keep(self, place: int, window: Window, period_s: int) -> None:
        if window.limited_s:
            count, offset = _LIMITED, window.limited_s
        else:
            count, offset = min(window.count, MAX_COUNT), int(window.last_s * 1000)
        _RECORD.pack_into(self._memory, place, window.start, window.previous, count, offset, period_s)

    def _place_for(self, tag: bytes, bucket: int, now: float) -> int:
        """Give a key that comes anew a record: an empty one, or that which is worth least."""
        memory = self._memory
        self._insertions += 1
        tags = memory[bucket : bucket + _TAGS_BYTES]
        at = tags.find(_NO_TAG)
        # Bytes of two tags may look like none.
        at = -1 if at % _TAG_BYTES else at
        way = at // _TAG_BYTES if at >= 0 else self._least_of(bucket + _TAGS_BYTES, now)
        tag_at, place = bucket + way * _TAG_BYTES, bucket + _TAGS_BYTES + way * _RECORD.size
        memory[tag_at : tag_at + _TAG_BYTES] = _NO_TAG
        _RECORD.pack_into(memory, place, now, 0.0, 0, 0, 1)
        memory[tag_at : tag_at + _TAG_BYTES] = tag
        return place

    def _least_of(self, records: int, now: float) -> int:
        """The record that is worth least among those of a bucket, which begin at `records`."""
        found = _RECORD.iter_unpack(self._memory[records : records + _RECORDS_BYTES])
        worth, way = min((_worth(record, now), way) for way, record in enumerate(found))
        self._evictions += worth > _OVER
        return way


class _Asked(NamedTuple):
    """When, and what the limit is."""

    now: float
    period_s: int
    limit: int
    mitigation_s: int


_NOTHING_COUNTED = Verdict(False, 0, 0)  # noqa: FBT003
_OVER = (0, 0.0, 0.0)


def _window(start: float, previous: float, count: int, offset: int) -> Window:
    if count == _LIMITED:
        # Not longer than anybody can say, and a moment at least, so that it is seen to be one.
        return Window(start, previous, 0, 0.0, min(max(offset, 1), MAX_SECONDS))
    return Window(start, previous, count, offset * TICK_S)


def _worth(record: tuple[float, float, int, int, int], now: float) -> tuple[int, float, float]:
    """What a record is worth, to compare: being limited, then how often it was seen, then how lately it began."""
    start, previous, count, offset, period_s = record
    age = now - start
    if not -MAX_STEP_BACK_S <= age < 2 * MAX_SECONDS:
        return _OVER
    if count == _LIMITED and age < offset <= MAX_SECONDS:
        return 2, offset - age, 0.0
    if age >= 2 * min(period_s, MAX_SECONDS) or not previous >= 0.0:
        return _OVER
    return 1, previous if count == _LIMITED else previous + count, -age


def _secret_in(memory: Memory, buckets: int) -> bytes | None:
    """The secret of a header that is good for this memory, None if there is none."""
    header = bytes(memory[: _HEADER.size])
    if bytes(memory[_HEADER.size : _HEADER.size + _CHECK_BYTES]) != _check_of(header):
        return None
    *described, secret = _HEADER.unpack(header)
    return secret if described == [_MAGIC, VERSION, _WAYS, buckets] else None


def _begin(memory: Memory, buckets: int, secret: bytes) -> bytes:
    """Make memory that holds something else empty, and write a header; gives the secret in it."""
    if any(memory[:_HEADER_BYTES]):
        memory[:_HEADER_BYTES] = bytes(_HEADER_BYTES)
        for at in range(_HEADER_BYTES, len(memory), _ZEROED_AT_ONCE):
            end = min(at + _ZEROED_AT_ONCE, len(memory))
            memory[at:end] = bytes(end - at)
    own = _blake2b(secret, digest_size=_SECRET_BYTES).digest()
    header = _HEADER.pack(_MAGIC, VERSION, _WAYS, buckets, own)
    memory[: _HEADER.size + _CHECK_BYTES] = header + _check_of(header)
    return own


def _check_of(header: bytes) -> bytes:
    return _blake2b(header, digest_size=_CHECK_BYTES).digest()
