"""The edge from outside: a real process between real sockets.

Law 1: every test talks to `holdfast up` as a person would have started it; nothing of the project is imported here.
Law 2: a wait is for a condition and has a limit. Nothing sleeps.
Law 3: both ends are looked at: what the client got, and what the origin did or did not receive.
"""
