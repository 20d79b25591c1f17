"""A plain XMPP client: one stream per user, no TLS, PLAIN login; over loopback only.

Sources: RFC 6120 (streams), RFC 6121 (messages), XEP-0077 (registration), XEP-0045 (group chats), XEP-0313 (archive).
"""

from __future__ import annotations

import base64
import socket

from benchmarks.harness.client import Connection, Hub
from benchmarks.harness.peer import Peer
from benchmarks.harness.wire import read_until, tcp_connect

DOMAIN = "localhost"
ROOM = f"group@conference.{DOMAIN}"


def _ends_of(stanza_id: str) -> tuple[bytes, bytes]:
    """How the answer to a request can be told, whatever quotes the server uses."""
    return f"id='{stanza_id}'".encode(), f'id="{stanza_id}"'.encode()


class XmppPeer(Peer):
    """What any XMPP server with group chats and archives needs; a subclass starts one on `port`."""

    port: int

    def prepare(self, work: str, users: int) -> None:
        """Register the users in-band, one stream each."""
        for index in range(users):
            stream = self._open_stream()
            stream.sendall(
                f"<iq type='set' id='register'><query xmlns='jabber:iq:register'><username>u{index}</username>"
                f"<password>password{index}</password></query></iq>".encode()
            )
            answer = read_until(stream, *_ends_of("register"))
            if b"error" in answer and b"conflict" not in answer:
                raise ConnectionError(f"not registered: {answer!r}")
            stream.close()

    def _open_stream(self) -> socket.socket:
        stream = tcp_connect(self.port)
        self._say_hello(stream)
        return stream

    def _say_hello(self, stream: socket.socket) -> None:
        stream.sendall(
            f"<stream:stream to='{DOMAIN}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
            " version='1.0'>".encode()
        )
        read_until(stream, b"</stream:features>")

    def connect(self, index: int) -> Connection:
        """Sign in and be available."""
        stream = self._open_stream()
        secret = base64.b64encode(f"\0u{index}\0password{index}".encode()).decode()
        stream.sendall(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>".encode())
        answer = read_until(stream, b"<success", b"<failure")
        if b"<failure" in answer:
            raise ConnectionError(f"not signed in: {answer!r}")
        self._say_hello(stream)
        stream.sendall(
            b"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            b"<resource>bench</resource></bind></iq>"
        )
        read_until(stream, b"</iq>")
        stream.sendall(b"<iq type='set' id='session'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>")
        read_until(stream, *_ends_of("session"))
        stream.sendall(b"<presence/>")
        return Connection(stream, index)

    def join(self, connection: Connection, hub: Hub) -> None:
        """Enter the room; the first one to enter made it and has to configure it."""
        connection.send(
            f"<presence to='{ROOM}/u{connection.index}'><x xmlns='http://jabber.org/protocol/muc'>"
            "<history maxstanzas='0'/></x></presence>".encode()
        )
        if connection.index == 0:
            hub.drain(0.5, 3)
            self._configure_room(connection)
        hub.drain(0, 0.02)

    def _configure_room(self, connection: Connection) -> None:
        fields = ""
        for name, value in (
            ("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig"),
            ("muc#roomconfig_persistentroom", "1"),
            ("mam", "1"),
        ):
            fields += f"<field var='{name}'><value>{value}</value></field>"
        connection.sock.setblocking(True)
        connection.sock.sendall(
            f"<iq type='set' id='configure' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'>"
            f"<x xmlns='jabber:x:data' type='submit'>{fields}</x></query></iq>".encode()
        )
        answer = read_until(connection.sock, *_ends_of("configure"))
        if b"type='error'" in answer or b'type="error"' in answer:
            raise ConnectionError(f"room not configured: {answer!r}")
        connection.sock.setblocking(False)

    def group_message(self, body: bytes) -> bytes:
        """A message to the room."""
        return b"<message type='groupchat' to='" + ROOM.encode() + b"'><body>" + body + b"</body></message>"

    def pair_message(self, to_index: int, body: bytes) -> bytes:
        """A message to one user."""
        return f"<message type='chat' to='u{to_index}@{DOMAIN}/bench'><body>".encode() + body + b"</body></message>"

    def history_request(self) -> bytes:
        """The last page of the room's archive."""
        return (
            f"<iq type='set' id='history' to='{ROOM}'><query xmlns='urn:xmpp:mam:2' queryid='q'>"
            "<set xmlns='http://jabber.org/protocol/rsm'><max>100</max><before/></set></query></iq>"
        ).encode()

    def history_complete(self, buffer: bytes) -> bool:
        """The page ends with the answer to the request."""
        return buffer.endswith(b"</iq>") and b"<fin" in buffer
