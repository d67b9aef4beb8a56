"""Whose file it is: an object that was made of a name, and one that has none."""

from holdfast.store.objects.identity import Identity


def test_an_object_made_of_an_id_alone_has_no_name() -> None:
    assert tuple(Identity("Room", "ab" * 32)) == ("Room", "ab" * 32, None)
