"""The files of the project as the checks of this directory see them.

Law: a file is the project's if git tracks it or would (it is not ignored), so that a check speaks before the commit.
"""

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def files(*suffixes: str, under: str = "") -> tuple[Path, ...]:
    """All files of the project below `under` (relative to the root) that end in one of `suffixes`; all, if none."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", under or "."],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return tuple(sorted({path for path in paths if path.is_file() and (not suffixes or path.suffix in suffixes)}))


def name_of(path: Path) -> str:
    """The path as a complaint names it: relative to the root."""
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str | None:
    """The text of the file, or None if it is not UTF-8 text (a picture, a key)."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def complain(complaints: list[str]) -> None:
    """Fail with every complaint on its own line; pass if there is none."""
    assert not complaints, "\n" + "\n".join(complaints)
