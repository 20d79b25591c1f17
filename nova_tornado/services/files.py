"""Files: uploaded, waiting for a message that takes them, read by whoever knows the URL, removed.

Source: contract "actions" section 8 (POST /files); contract "protocols" sections 1.4 (File) and 1.5 (send_message).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping

from nova_tornado.domain import rules
from nova_tornado.domain.errors import BadField, TooLarge, TooManyRequests
from nova_tornado.domain.models import File, User
from nova_tornado.realtime.chats import ChatCache
from nova_tornado.realtime.clock import Clock
from nova_tornado.services.avatars import AVATAR_MAX_BYTES, AVATAR_NAMES
from nova_tornado.services.bot_scopes import Ability, check_scope
from nova_tornado.services.content_types import HEAD_BYTES, detect
from nova_tornado.storage.files import FileWriter
from nova_tornado.storage.store import Store

log = logging.getLogger(__name__)

SWEEP_INTERVAL_S = 300
PENDING_MAX_FILES = 200
"""So many files may a user have uploaded and not sent, or nobody could keep him from filling the disk."""
PENDING_MAX_LARGEST = 10
"""… and so many bytes: as this many of the largest files that may be."""
AVATAR_FILE_NAME = "avatar"
"""What an avatar is called before it is known what kind of picture it is."""


class Upload:
    """A file on its way in; made by ``FileService.begin``, ended by ``finish`` or ``abort``.

    Args:
        writer: stores it.
        max_bytes: how large it may be.
        names: what it may be, and what it is called then; None: anything, by its own name.
    """

    def __init__(self, writer: FileWriter, max_bytes: int, names: Mapping[str, str] | None = None) -> None:
        self._writer = writer
        self._max_bytes = max_bytes
        self._names = names
        self._head = b""

    async def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            TooLarge: there are more than a file may have.
        """
        if self._writer.size_bytes + len(data) > self._max_bytes:
            raise TooLarge(_too_large(self._max_bytes))
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
        await self._writer.write(data)

    async def finish(self) -> File:
        """That was all: the file is stored and pending.

        Raises:
            BadField: it is not what it may be.
            Unavailable: it took longer than a file may wait for its message.
        """
        content_type = detect(self._head)
        if self._names is not None and content_type not in self._names:
            raise BadField("The file must be a picture: PNG, JPEG, GIF or WebP")
        return await self._writer.finish(content_type, self._names[content_type] if self._names is not None else None)

    async def abort(self) -> None:
        """Forget the file."""
        await self._writer.abort()


class FileService:
    """Takes files in and hands them out.

    Args:
        store, cache, clock: the parts it works with.
        max_bytes: how large a file may be.

    Attributes:
        max_bytes: how large a file may be.
    """

    def __init__(self, store: Store, cache: ChatCache, clock: Clock, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._store = store
        self._files = store.files
        self._cache = cache
        self._clock = clock
        self._sweeping: asyncio.Task[None] | None = None
        self._aborts: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to sweep up the files that nobody has sent, also those of earlier processes."""
        self._sweeping = asyncio.create_task(self._sweep_on(), name="sweep of files")

    async def close(self) -> None:
        """Leave what is not swept yet to the next start."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        await asyncio.gather(*self._aborts, return_exceptions=True)

    @staticmethod
    def check_name(name: object) -> str:
        """A file's name: 1–255 characters without slashes, backslashes and control characters.

        Raises:
            BadField: it is none.
        """
        return rules.check_file_name(name)

    async def store(self, user: User, name: str, data: bytes) -> File:
        """Store a file that is there as a whole. It is pending: removed after an hour, unless a message takes it.

        Args:
            user: whose it is; only he can attach it.
            name: checked here.
            data: its bytes.

        Raises:
            BadField: a bad name.
            TooLarge: more bytes than a file may have.
            TooManyRequests: too much of his is pending.
        """
        if len(data) > self.max_bytes:
            raise TooLarge(_too_large(self.max_bytes))
        upload = await self.begin(user, name, len(data))
        try:
            await upload.write(data)
            return await upload.finish()
        except BaseException:
            self.abort_later(upload)
            raise

    async def begin(self, user: User, name: str, announced_bytes: int | None = None) -> Upload:
        """Begin to take in a file that comes piece by piece.

        Args:
            user: whose it is.
            name: checked here.
            announced_bytes: at least as many as will come; None if that is not known.

        Raises:
            BadField: a bad name.
            TooManyRequests: too much of his is pending.
            NoRight: not by this bot.
        """
        check_scope(user, Ability.UPLOAD)
        self.check_name(name)
        return await self._begin(user, name, announced_bytes, self.max_bytes)

    async def begin_avatar(self, user: User, announced_bytes: int | None = None) -> Upload:
        """Begin to take in a picture of at most ``AVATAR_MAX_BYTES``, for ``AccountService.set_avatar``.

        Args:
            user: whose it is.
            announced_bytes: as for ``begin``.

        Raises:
            TooManyRequests: too much of his is pending.
            NoRight: he is a bot from outside.
        """
        check_scope(user, Ability.CHANGE_ACCOUNT)
        return await self._begin(user, AVATAR_FILE_NAME, announced_bytes, AVATAR_MAX_BYTES, AVATAR_NAMES)

    async def _begin(
        self,
        user: User,
        name: str,
        announced_bytes: int | None,
        max_bytes: int,
        names: Mapping[str, str] | None = None,
    ) -> Upload:
        now_us = self._clock.now_us()
        reserved_bytes = max_bytes if announced_bytes is None else min(announced_bytes, max_bytes)
        upload = Upload(await self._files.begin(user.id, name, reserved_bytes, now_us), max_bytes, names)
        # After it has taken its place: of two at the same time at least one sees the other.
        count, size_bytes = await self._files.measure_pending(user.id, now_us)
        if count > PENDING_MAX_FILES or size_bytes > PENDING_MAX_LARGEST * self.max_bytes:
            await upload.abort()
            raise TooManyRequests("Too many uploaded files wait to be sent")
        return upload

    def abort_later(self, upload: Upload) -> None:
        """Forget a file whose sender has gone away, without waiting for it."""
        task = asyncio.create_task(self.abort(upload), name="removal of an upload")
        self._aborts.add(task)
        task.add_done_callback(self._aborts.discard)

    async def abort(self, upload: Upload) -> None:
        """Forget a file that was refused on its way."""
        try:
            await upload.abort()
        except Exception as error:
            log.warning("a broken upload could not be removed, the sweep will do it: %s", type(error).__name__)

    async def discard(self, file_ids: Iterable[int]) -> None:
        """Remove pending files that will not be sent after all; what a message has taken stays."""
        await self._files.discard(file_ids)

    async def find(self, key: str) -> File | None:
        """The file whose URL has that key.

        Returns:
            None if there is none, if nobody has sent it in time, if its message is recalled or its chat deleted.
        """
        stored = await self._files.find_by_key(key, self._clock.now_us())
        if stored is None:
            return None
        if stored.chat_id is not None and stored.message_id is not None:
            if await self._cache.find(stored.chat_id) is None:
                return None
            message = await self._store.messages.find(stored.message_id)
            if message is None or message.is_recalled:
                return None
        return stored.file

    def read(self, file: File, start: int, end: int) -> AsyncIterator[bytes]:
        """A file's bytes from ``start`` to ``end`` (exclusive), in pieces, which end early if it is removed."""
        return self._files.read(file.id, start, end)

    async def sweep(self) -> int:
        """Remove the files that nobody has sent within an hour; returns how many there were."""
        return await self._files.sweep(self._clock.now_us())

    async def _sweep_on(self) -> None:
        while True:
            try:
                await self.sweep()
            except Exception as error:
                log.warning("unsent files could not be removed, it is tried again: %s", type(error).__name__)
            await asyncio.sleep(SWEEP_INTERVAL_S)


def _too_large(max_bytes: int) -> str:
    size = f"{max_bytes // 1024**2} MiB" if max_bytes >= 1024**2 else f"{max_bytes // 1024} KiB"
    return f"A file cannot be larger than {size}"
