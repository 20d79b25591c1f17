"""What the tests' clients of all protocols share."""

from nova_tornado.clients.protocols import ProtocolClient

__all__ = ["ProtocolClient"]
