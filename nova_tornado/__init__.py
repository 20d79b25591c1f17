"""Nova: one self-hosted chat server for many kinds of client."""

__version__ = "0.1.0"
