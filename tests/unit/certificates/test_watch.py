"""The watch: a transcript of what is on disk at each poll, and what is published and logged for it."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from holdfast.certificates.pair import CertificatePair
from holdfast.certificates.watch import CertificateWatch
from holdfast.errors import CertificateError
from tests.unit.certificates.making import DAY, NOW, a_key, cert_pem, key_pem


class Edge:
    """What was published and logged, in order."""

    def __init__(self, directory: Path) -> None:
        self.cert, self.key = directory / "cert.pem", directory / "key.pem"
        self.published: list[list[bytes]] = []
        self.logged: list[tuple[str, dict[str, str]]] = []
        self.refusal: ValueError | None = None
        self.write(0)
        self.watch = CertificateWatch([(self.cert, self.key)], log=self.log)

    def log(self, event: str, fields: dict[str, str]) -> None:
        self.logged.append((event, fields))

    def publish(self, pairs: Sequence[CertificatePair]) -> None:
        if self.refusal:
            raise self.refusal
        self.published.append([pair.key_pem for pair in pairs])

    def poll(self, times: int = 1) -> None:
        for _ in range(times):
            self.watch.poll(NOW, self.publish)

    def write(self, number: int, *, expired: bool = False) -> None:
        """Replace both files by the pair of that number, each by an atomic rename."""
        not_after = NOW - DAY if expired else NOW + 90 * DAY
        replace(self.cert, cert_pem(a_key(number=number), not_before=NOW - 9 * DAY, not_after=not_after))
        replace(self.key, key_pem(a_key(number=number)))

    def events(self) -> list[str]:
        return [event for event, _ in self.logged]


def replace(file: Path, content: bytes) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(content)
    new.replace(file)


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    return Edge(tmp_path)


def test_the_first_load_is_strict(edge: Edge) -> None:
    (pair,) = edge.watch.load(NOW)
    assert pair.names == ("example.com",)
    edge.key.write_bytes(b"")
    with pytest.raises(CertificateError, match="no PEM private key"):
        edge.watch.load(NOW)


def test_files_that_stand_still_are_left_alone(edge: Edge) -> None:
    edge.poll(5)
    assert edge.published == []
    assert edge.logged == []


def test_a_replaced_pair_is_published_once_it_stands_still(edge: Edge) -> None:
    edge.write(1)
    edge.poll()
    assert edge.published == []
    edge.poll(3)
    assert edge.published == [[key_pem(a_key(number=1))]]
    assert edge.logged == [
        (
            "certificate_loaded",
            {"cert": str(edge.cert), "names": "example.com", "not_after": "2026-05-30T12:00:00+00:00"},
        )
    ]


def test_a_pair_whose_second_file_comes_later_is_not_mistaken_for_a_bad_one(edge: Edge) -> None:
    replace(edge.cert, cert_pem(a_key(number=1)))
    edge.poll()
    replace(edge.key, key_pem(a_key(number=1)))
    edge.poll(3)
    assert edge.published == [[key_pem(a_key(number=1))]]
    assert edge.events() == ["certificate_loaded"]


def test_a_half_that_stays_away_is_logged_once_and_the_whole_taken_when_it_comes(edge: Edge) -> None:
    replace(edge.cert, cert_pem(a_key(number=1)))
    edge.poll(10)
    assert edge.published == []
    assert edge.events() == ["certificate_rejected"]
    assert "does not match" in edge.logged[0][1]["reason"]
    replace(edge.key, key_pem(a_key(number=1)))
    edge.poll(2)
    assert edge.published == [[key_pem(a_key(number=1))]]


@pytest.mark.parametrize("content", [b"", b"nonsense", None], ids=["empty", "nonsense", "gone"])
def test_a_bad_file_changes_nothing_and_says_why(edge: Edge, content: bytes | None) -> None:
    edge.key.unlink() if content is None else edge.key.write_bytes(content)
    edge.poll(5)
    assert edge.published == []
    assert edge.events() == ["certificate_rejected"]
    assert edge.logged[0][1]["key"] == str(edge.key)
    assert str(edge.key) in edge.logged[0][1]["reason"]


def test_a_file_written_in_place_is_noticed_too(edge: Edge) -> None:
    edge.cert.write_bytes(cert_pem(a_key(number=2)))
    edge.key.write_bytes(key_pem(a_key(number=2)))
    edge.poll(2)
    assert edge.published == [[key_pem(a_key(number=2))]]


def test_a_file_that_keeps_growing_is_waited_for(edge: Edge) -> None:
    whole = cert_pem(a_key()) + cert_pem(a_key(number=1), names=["ca.example"])
    for size in range(100, len(whole), 300):
        edge.cert.write_bytes(whole[:size])
        edge.poll()
    edge.cert.write_bytes(whole)
    edge.poll(2)
    assert edge.events() == ["certificate_loaded"]


def test_the_same_size_and_name_with_another_time_is_a_change(edge: Edge) -> None:
    status = edge.cert.stat()
    os.utime(edge.cert, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    edge.poll(2)
    assert len(edge.published) == 1


def test_a_pair_the_edge_cannot_use_is_logged(edge: Edge) -> None:
    edge.refusal = ValueError("the curve is not supported")
    edge.write(1)
    edge.poll(5)
    assert edge.events() == ["certificate_rejected"]
    assert edge.logged[0][1]["reason"] == "the edge cannot use what was read: the curve is not supported"


def test_an_expired_replacement_is_taken_with_a_warning(edge: Edge) -> None:
    edge.write(1, expired=True)
    edge.poll(2)
    assert len(edge.published) == 1
    assert edge.events() == ["certificate_loaded", "certificate_warning"]


def test_all_pairs_are_published_when_one_changes(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first, second = Edge(tmp_path), Edge(tmp_path / "b")
    second.write(1)
    watch = CertificateWatch([(first.cert, first.key), (second.cert, second.key)], log=first.log)
    second.write(2)
    watch.poll(NOW, first.publish)
    watch.poll(NOW, first.publish)
    assert first.published == [[key_pem(a_key(number=0)), key_pem(a_key(number=2))]]
