"""A real browser in front of the edge: Debian's Chromium, driven by playwright."""
