"""`init` prints what it made, once, for people or for programs."""

import json
from pathlib import Path

import pytest

from holdfast.app.init import run_init
from holdfast.config.init import InitOptions
from holdfast.errors import SetupError


def test_it_is_made_once_and_the_token_never_shown_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = InitOptions(data_dir=tmp_path, as_json=True)
    assert run_init(options) == 0
    made = json.loads(capsys.readouterr().out)
    assert set(made) == {"account_id", "token"}
    with pytest.raises(SetupError, match=r"there is an installation in .* already; its first token is not shown again"):
        run_init(options)
    assert made["token"] not in capsys.readouterr().out


def test_a_person_is_told_what_to_do_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_init(InitOptions(data_dir=tmp_path)) == 0
    said = capsys.readouterr().out
    assert "token: " in said
    assert "HOLDFAST_TOKEN" in said


def test_a_file_that_is_no_database_is_one_sentence_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.db"
    file.write_bytes(b"a letter to somebody\n" * 100)
    with pytest.raises(SetupError, match=rf"^database_url: .*{file}: the file is no SQLite database$"):
        run_init(InitOptions(data_dir=tmp_path))
    assert file.read_bytes() == b"a letter to somebody\n" * 100
