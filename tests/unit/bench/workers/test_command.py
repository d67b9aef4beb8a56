"""The command line of the benchmark of Workers."""

import pytest

from bench.workers.command import main


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--only", "naps"], "bench: --only: no case is named 'naps'; there are echoes"),
        (["--record", "No Label"], "bench: 'No Label' is no label: lower-case letters"),
    ],
)
def test_an_option_that_makes_no_sense_is_told_before_anything_is_started(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(sentence)


@pytest.mark.parametrize("option", ["--rounds", "--threads"])
def test_a_number_below_one_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([option, "0"])
    assert ended.value.code == 2
    assert f"argument {option}: at least 1 is wanted" in capsys.readouterr().err
