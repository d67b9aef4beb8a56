"""The verbs of the command that ask the API: `holdfast zone`, `setting`, `record`, `token` and `cert`."""
