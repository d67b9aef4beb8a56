"""`workers.workflows`: the one name of it that user code imports. Holdfast runs no workflows."""


class NonRetryableError(Exception):
    """Says that a step of a workflow must not be tried again."""
