"""The names of generated code: one for each thing, and values that are computed at their first use."""

from holdfast.rules.program_names import UNSET, Names


def test_the_same_thing_has_one_name() -> None:
    names = Names()
    first, again, other = names.constant("a", what="key"), names.constant("a", what="key"), names.constant("a")
    assert first == again != other
    assert names.namespace[first] == names.namespace[other] == "a"
    assert names.moment() != names.moment()


def test_a_kept_value_is_computed_at_its_first_use_and_once() -> None:
    names, values = Names(), iter([7, 8])
    compute = names.constant(lambda: next(values))
    kept = [names.kept("key", lambda: f"{compute}()") for _ in range(2)]
    ready = names.ready("other", lambda name: [f"{name} = 5"])
    assert kept[0] == kept[1]
    assert names.ready("other", lambda _: ["never"]) == ready
    lines = [
        "def f():",
        *names.setup,
        f"before = {kept[0].split(' ')[0][1:]}",
        f"return before, {kept[0]}, {kept[1]}, {ready}",
    ]
    exec("\n ".join(lines), names.namespace)
    assert names.namespace["f"]() == (UNSET, 7, 7, 5)
    assert list(values) == [8]
