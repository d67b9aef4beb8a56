"""Tests of one module each, file for file as in `src/holdfast`, without the native core."""
