"""What can keep a suite from being run."""


class MissingError(Exception):
    """Something this machine needs is not there; the text says what, and how to get it."""
