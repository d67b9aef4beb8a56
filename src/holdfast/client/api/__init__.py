"""The v4 API from a client's side: where it is, how it is asked, what its answers mean. Knows no command line."""
