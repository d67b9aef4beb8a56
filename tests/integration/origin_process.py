"""The fake origin as a process of its own, so that it can be stopped and killed: `python -m tests.integration.origin_process`.

Prints its port, then serves until its standard input ends.
"""

import sys

from tests.integration.origin import Origin
from tests.integration.origin_paths import PATHS


def main() -> None:
    """Serve on the port given as argument (0 for any), until standard input ends."""
    with Origin(PATHS, port=int(sys.argv[1])) as origin:
        sys.stdout.write(f"{origin.port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
