"""How long an object that does nothing stays in memory: less, the more objects have their files open.

An open file takes some FILE_KIB, most of it SQLite's, and four descriptors, so some thousand objects that are spoken to within ten seconds
would take all the memory that their script may have. The square makes the number of them rise with the cube root only of how many are woken a second.
"""

# Precedent: the original's.
HIBERNATE_S = 10.0
# Measured: 147 KiB for a bare connection with a journal, the rest is the object's.
FILE_KIB = 185
# How much of the memory that a script may have its idle objects' files may take before they are given up earlier.
PART = 0.2


def room(memory_mb: int) -> int:
    """How many objects may have their files open, of a script that may have so much memory, before they leave earlier than else."""
    return max(int(memory_mb * 1024 * PART / FILE_KIB), 1)


def patience_s(open_files: int, room: int) -> float:
    """How long one that has its file open may do nothing, where `open_files` have."""
    return HIBERNATE_S if open_files <= room else HIBERNATE_S * (room / open_files) ** 2
