"""/files and /user/avatar: uploads and downloads. Source: contract "actions" section 8, POST /files."""

from __future__ import annotations

from tornado.web import stream_request_body

from nova_tornado.domain.errors import TooLarge
from nova_tornado.domain.models import File
from nova_tornado.native.base import ActionsHandler
from nova_tornado.native.packets import file_struct, user_detailed
from nova_tornado.services.avatars import AVATAR_MAX_BYTES
from nova_tornado.services.files import Upload
from nova_tornado.web.application import DROPPED_MAX_BYTES
from nova_tornado.web.files import FileDownload
from nova_tornado.web.multipart import MultipartFile

FIELD = "file"
FORM_MAX_BYTES = 64 * 1024
"""What may stand around the file in a body: boundaries, headers, other fields."""
UPLOAD_TIMEOUT_S = 600
"""For a body to arrive; 25 MiB take so long on a line of 350 kbit/s."""


@stream_request_body
class UploadHandler(ActionsHandler):
    """Takes one file in a form.

    A refused body is read to its end and dropped before the refusal is answered, unless it is far too long: closing
    at once would reset the connection, and a client that sends all before it reads would never see the answer.
    """

    _refusal: Exception | None = None
    _form: MultipartFile | None = None
    _upload: Upload | None = None
    _is_gone = False

    @property
    def max_bytes(self) -> int:
        """How large the file may be."""
        raise NotImplementedError

    async def begin(self, name: str, announced_bytes: int | None) -> Upload:
        """Begin to take it in.

        Args:
            name: what the client calls it.
            announced_bytes: how long the body is, if the client has said so.
        """
        raise NotImplementedError

    async def prepare(self) -> None:
        """Check all that can be checked before the body comes (called by Tornado)."""
        announced = self.request.headers.get("Content-Length", "")
        self._announced_bytes = int(announced) if announced.isdecimal() else None
        max_bytes = self.max_bytes + FORM_MAX_BYTES
        connection = self.request.connection
        assert connection is not None
        connection.set_max_body_size(max(max_bytes, DROPPED_MAX_BYTES))  # type: ignore[attr-defined]
        try:
            await super().prepare()
            if self.request.method == "POST":
                self._form = MultipartFile(self.request.headers.get("Content-Type"), FIELD)
                if (self._announced_bytes or 0) > max_bytes:
                    raise TooLarge
                connection.set_body_timeout(UPLOAD_TIMEOUT_S)  # type: ignore[attr-defined]
        except Exception as error:
            if (self._announced_bytes or 0) > max(max_bytes, DROPPED_MAX_BYTES):
                raise
            self._refusal = error

    def read_body(self) -> None:
        """It comes later, in pieces."""

    async def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body (called by Tornado, which waits for it before it reads on). Must not raise."""
        if self._refusal is not None or self._form is None:
            return
        try:
            pieces = self._form.feed(chunk)
            if self._upload is None and self._form.name is not None:
                self._upload = await self.begin(self._form.name, self._announced_bytes)
                if self._is_gone:
                    await self._drop()
            if self._upload is not None:
                for piece in pieces:
                    await self._upload.write(piece)
        except Exception as error:
            self._refusal = error
            await self._drop()

    async def take(self) -> File:
        """The file, stored and pending."""
        if self._refusal is not None:
            raise self._refusal
        assert self._form is not None
        try:
            self._form.close()
            assert self._upload is not None
            file = await self._upload.finish()
        except Exception:
            await self._drop()
            raise
        self._upload = None
        return file

    async def _drop(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            await self.services.files.abort(upload)

    def on_connection_close(self) -> None:
        """The client has gone away in the middle (called by Tornado)."""
        self._is_gone = True
        if self._upload is not None:
            self.services.files.abort_later(self._upload)
        super().on_connection_close()


class FilesHandler(UploadHandler):
    """/files."""

    @property
    def max_bytes(self) -> int:
        """What the operator allows."""
        return self.services.files.max_bytes

    async def begin(self, name: str, announced_bytes: int | None) -> Upload:
        """A file for a message."""
        return await self.services.files.begin(self.user, name, announced_bytes)

    async def post(self) -> None:
        """Store a file, pending: it goes after an hour, unless the uploader has sent it in a message by then."""
        self.reply(file_struct(await self.take()))


class AvatarHandler(UploadHandler):
    """/user/avatar."""

    @property
    def max_bytes(self) -> int:
        """What is enough for a small picture."""
        return AVATAR_MAX_BYTES

    async def begin(self, _name: str, announced_bytes: int | None) -> Upload:
        """A picture, by whatever name."""
        return await self.services.files.begin_avatar(self.user, announced_bytes)

    async def post(self) -> None:
        """Make a picture one's own avatar, in place of the one before."""
        picture = await self.take()
        user = await self.services.accounts.set_avatar(self.user, self.session, self.remote_address, picture)
        self.reply(user_detailed(user))


class FileHandler(FileDownload, ActionsHandler):
    """/files/<key>/<name>."""


ROUTES = [
    (r"/files", FilesHandler),
    (r"/user/avatar", AvatarHandler),
    (r"/files/([A-Za-z0-9_-]+)(?:/[^/]*)?", FileHandler),
]
