"""The people of the tests: they speak the actions protocol over real sockets."""

from nova_tornado.clients.http import Answer, exchange
from nova_tornado.clients.sockets import WAIT_S
from nova_tornado.testing.people import NOTHING, Person, Socket

__all__ = ["NOTHING", "WAIT_S", "Answer", "Person", "Socket", "exchange"]
