"""The people of the tests: they speak the actions protocol over real sockets."""

from nova_tornado.testing.clients import WAIT_S
from nova_tornado.testing.people import NOTHING, Answer, Person, Socket, exchange

__all__ = ["NOTHING", "WAIT_S", "Answer", "Person", "Socket", "exchange"]
