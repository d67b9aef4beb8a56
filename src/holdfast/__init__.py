"""Holdfast: a self-hosted WebSocket edge. The command is `holdfast`; `holdfast.app` composes it."""

__version__ = "0.1.0"
