"""Other people's clients of the API, against a running installation."""
