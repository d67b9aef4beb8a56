"""Where one process of a script stands, and how long it may stand there.

Law: every wait has a limit. What exceeds it is ended by SIGKILL, and `too_late` says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

# How long an import may take, on a machine that starts everything else too. Precedent: the original refuses 1 s of CPU.
LOAD_LIMIT_S = 30.0
# Taking the objects' lock, opening their files, accepting.
SERVE_LIMIT_S = 20.0
# What running handlers have when their process is replaced. Precedent: `preShutdown` has 10 s in the original.
RETIRE_LIMIT_S = 10.0
# After it: a commit that is under way, and what the process itself adds.
RETIRE_MARGIN_S = 3.0
# What requests that no object answers, and what `waitUntil` was given, have behind that: others serve meanwhile. Precedent: `waitUntil` has
# 30 s in the original. Where all is to end there is less.
LINGER_S = 30.0
LINGER_AT_END_S = 2.0
# Processes that are only there for such; one more, and the oldest ends.
MOST_LINGERING = 4
# One that has served for as long has got over what the one before died of.
WELL_AFTER_S = 60.0
# For a process that has nothing more to do to end; with what is under way, where all is to end, and where it said that it cannot load.
EXIT_MARGIN_S = 1.0
EXIT_LIMIT_S = LINGER_AT_END_S + EXIT_MARGIN_S


class Phase(Enum):
    """Where a process stands."""

    LOADING = auto()
    LOADED = auto()
    STARTING = auto()  # told to serve
    SERVING = auto()
    RETIRING = auto()  # told to retire; has the objects still
    LEAVING = auto()  # has let go of everything, or is being killed


@dataclass(slots=True, kw_only=True)
class Process:
    """One process of a script. `due` is when it is killed. `reason` is why it ends, where that is known before it does; `printed` the
    last line that it printed before it could say anything."""

    number: int
    version: str
    phase: Phase = Phase.LOADING
    due: float | None = None
    reason: str = ""
    printed: str = ""
    traceback: str = ""
    # A limit ended it: the event it was at is at fault.
    is_at_fault: bool = False
    # By somebody outside: no limit of ours did it.
    was_killed: bool = False
    # Since when it serves.
    served_at: float | None = None


def too_late(phase: Phase) -> str:
    """What a process did not do in time in this phase."""
    match phase:
        case Phase.LOADING:
            return f"it was not loaded within {LOAD_LIMIT_S:.0f} s"
        case Phase.STARTING:
            return f"it did not serve within {SERVE_LIMIT_S:.0f} s"
        case Phase.RETIRING:
            return f"it did not retire within {RETIRE_LIMIT_S + RETIRE_MARGIN_S:.0f} s"
        case _:
            return "it has closed its link to the host"
