"""`holdfast connect`: a person at one end of a WebSocket. Imports nothing of ours but `model` and `errors`."""
