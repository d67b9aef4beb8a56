"""What Holdfast is asked to do: options of `up`, the configuration of `run` and its roles, and where each value came from."""
