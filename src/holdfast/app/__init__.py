"""The composition root: processes and what they are made of. It may use every room; nothing uses it but the command.

`up` and `run` are supervisors (`supervisor`, `supervision`), `edge_role` and `control_role` what their children do.
"""
