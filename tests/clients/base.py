"""What the tests' clients of all protocols share."""

from nova_tornado.testing.protocols import ProtocolClient

__all__ = ["ProtocolClient"]
