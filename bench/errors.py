"""What can end a benchmark. Each is one sentence for the person who started it."""

from __future__ import annotations


class BenchError(Exception):
    """The run cannot go on; `status` is the exit status."""

    status = 1


class UnusableError(BenchError):
    """Something that must be there before the run is not, or an option makes no sense."""

    status = 2


class MissingError(Exception):
    """A proxy's program is not installed; says which package has it."""


class MeasurementError(Exception):
    """One measurement failed; the run goes on without it, and says so."""
