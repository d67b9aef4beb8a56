"""The Autobahn suite's fuzzing client: find its interpreter, install it, run it.

Law 1: it is installed from pinned, hashed packages into a directory of its own, and only once.
Law 2: it gets addresses to test and a directory for its reports; it knows nothing of the edge.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from conformance.missing import MissingError
from conformance.verdict import Outcome

HERE = Path(__file__).parent
OUT = HERE / "out"
# Not under OUT: the suite has modules that checkers of this project's own Python would stumble over.
INSTALLED = HERE.parent / ".cache" / "conformance"
REQUIREMENTS = HERE / "requirements-autobahn.txt"
REPORTS = OUT / "reports"
# All cases, twice or three times over, with the large messages of 9.* in them, take minutes.
LIMIT_S = 3600

# `--target` directories are no site-packages: their .pth files (zope's namespace) count only through addsitedir.
START = "import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite.wstest import run; run()"


def python2() -> str:
    """The Python 2.7 to run the suite with. Raises MissingError where there is none."""
    for candidate in candidates():
        try:
            said = subprocess.run(
                [candidate, "-c", "import sys; print(sys.version_info[:2] == (2, 7))"],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
        except OSError:
            continue
        if said.stdout.strip() == "True":
            return candidate
    raise MissingError(
        "the Autobahn suite runs on Python 2.7 only, and there is none here: put python2.7 on the PATH, "
        "`pyenv install 2.7.18`, or name one with HOLDFAST_PYTHON2"
    )


def candidates() -> Iterator[str]:
    """Programs that may be a Python 2.7, the best first. A pyenv shim may be there and not run."""
    if named := os.environ.get("HOLDFAST_PYTHON2"):
        yield named
    if found := shutil.which("python2.7"):
        yield found
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from map(str, sorted(versions.glob("2.7.*/bin/python2.7"), reverse=True))


def install(python: str) -> Path:
    """The directory with the suite and its packages, filled if it is not yet. Raises MissingError where pip fails."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    place = INSTALLED / f"autobahn-{digest}"
    if place.exists():
        return place
    print(f"conformance: installing the Autobahn suite into {place.relative_to(HERE.parent)}", flush=True)
    unfinished = INSTALLED / "installing"
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--quiet",
        "--no-deps",
        "--require-hashes",
    ]
    done = subprocess.run(
        [*command, "--target", unfinished, "-r", REQUIREMENTS], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise MissingError(f"pip for Python 2.7 could not install the Autobahn suite:\n{done.stderr[-2000:]}")
    unfinished.rename(place)
    return place


def run(
    python: str, place: Path, agents: Mapping[str, str], cases: Sequence[str], *, leave_out: Sequence[str] = ()
) -> dict[str, dict[str, Outcome]]:
    """Run the cases (patterns such as `6.*`) against each agent's URL: agent -> case -> outcome."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    servers = [{"agent": agent, "url": url, "options": {"version": 18}} for agent, url in agents.items()]
    specification = {
        "outdir": str(REPORTS),
        "servers": servers,
        "cases": list(cases),
        "exclude-cases": list(leave_out),
        "exclude-agent-cases": {},
    }
    spec_file = OUT / "specification.json"
    spec_file.write_text(json.dumps(specification))
    with (OUT / "wstest.log").open("wb") as log:
        subprocess.run(
            [python, "-S", "-c", START, place, "-m", "fuzzingclient", "-s", spec_file],
            cwd=OUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S,
            check=True,
        )
    said = json.loads((REPORTS / "index.json").read_text())
    return {agent: {case: Outcome.read(report) for case, report in said.get(agent, {}).items()} for agent in agents}
