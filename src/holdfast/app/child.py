"""`python -m holdfast.app.child ROLE`: a process of a supervisor's. People start roles with `holdfast edge|control`.

Law: it goes straight to its role, without the command line's parser: an edge that is started again has clients waiting.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from holdfast.app.inheritance import Inheritance, inherited
from holdfast.app.surroundings import Surroundings
from holdfast.config.run import Config
from holdfast.errors import HoldfastError, SetupError

_EDGE, _CONTROL, _WORKERS = "edge", "control", "workers"


def main() -> int:
    """Do what the supervisor started this process for; its exit status."""
    lifeline = None
    try:
        given, lifeline = inherited(os.environ)
        return _serve(sys.argv[1:], given, Surroundings(given.command, lifeline, is_successor=given.is_successor))
    except HoldfastError as error:
        if lifeline is None:
            sys.stderr.write(f"holdfast: {error}\n")
        else:
            lifeline.failed(str(error))
        return error.exit_status
    except Exception as error:
        # The sentence is for whoever asked for a release; the log gets the traceback.
        if lifeline is not None:
            lifeline.failed(f"{type(error).__name__}: {error}")
        raise
    finally:
        if lifeline is not None:
            lifeline.close()


def _serve(argv: Sequence[str], given: Inheritance, around: Surroundings) -> int:
    options = given.parsed_options()
    match argv:
        case [role] if role == _EDGE:
            from holdfast.app.edge_role import serve_edge  # noqa: PLC0415  each child loads its role only

            return serve_edge(options, given.listeners, around, egress=given.egress, worker=given.worker)
        case [role] if role == _CONTROL and isinstance(options, Config):
            from holdfast.app.control_service import serve_control  # noqa: PLC0415  as above

            return serve_control(options, given.listeners, around)
        case [role] if role == _WORKERS:
            from holdfast.app.workers_role import serve_workers  # noqa: PLC0415  as above

            return serve_workers(options, around, worker=given.worker, kept=given.kept)
    raise SetupError(f"expected the role {_EDGE}, {_CONTROL} or {_WORKERS}, got {list(argv)}")


if __name__ == "__main__":
    sys.exit(main())
