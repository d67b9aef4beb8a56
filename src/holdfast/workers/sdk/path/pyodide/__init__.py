"""Names that code written for Python in WebAssembly imports; here they stand for plain Python."""

__version__ = "0.29.0"
