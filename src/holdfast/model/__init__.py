"""Frozen values that all sides share. Nothing here imports another package of ours but `errors`."""
