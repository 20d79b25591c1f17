"""What is being answered, so that a restart loses no question and leaves no half answer without a mark.

``bot_answers {_id: question's key, question, chat, bot, user, asked_us, message?, process?, held_until_us?}``:
``question`` and ``message`` are message ids, ``message`` is the answer as far as it has come. ``process`` answers, and
says every ``RENEW_S`` that it is still there; what it has left is another one's when ``held_until_us`` has passed. A
record is there from the question's coming until its answer is complete.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from nova_bot_chat.questions import Question
from nova_tornado.api import CollectionSpec, Document, DuplicateKeyError, Index, Nova

BOT_ANSWERS = CollectionSpec(
    "bot_answers",
    (Index((("user", 1),), "drop those of a deleted account"), Index((("chat", 1),), "drop those of a deleted chat")),
)


HELD_S = 30
RENEW_S = 10


@dataclass(frozen=True, slots=True)
class Note:
    """A question that was not answered completely.

    Attributes:
        key: the question's key.
        question_id: the message.
        answer_id: the answer as far as it has come; None if it was not begun, or that is not known.
    """

    key: str
    question_id: int
    chat_id: int
    bot_id: int
    user_id: int
    asked_us: int
    answer_id: int | None


class Notes:
    """Keeps the records."""

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._collection = nova.collection(BOT_ANSWERS)
        self._process = secrets.token_hex(8)

    def _held(self) -> Document:
        until_us = self._nova.clock.now_us() + HELD_S * 1_000_000
        return {"process": self._process, "held_until_us": until_us}

    async def add(self, question: Question) -> bool:
        """A question has come; False if it was noted before."""
        try:
            await self._collection.insert_one(
                {
                    "_id": question.key,
                    "question": question.message.id,
                    "chat": question.chat_id,
                    "bot": question.account.user.id,
                    "user": question.user.id,
                    "asked_us": question.message.sent_us,
                    **self._held(),
                }
            )
        except DuplicateKeyError:
            return False
        return True

    async def set_answer(self, question: Question, answer_id: int) -> None:
        """The answer was begun."""
        await self._collection.update_one({"_id": question.key}, {"$set": {"message": answer_id}})

    async def remove(self, key: str) -> None:
        """The answer is complete, or there will be none."""
        await self._collection.delete_one({"_id": key})

    async def remove_chat(self, chat_id: int) -> None:
        """The chat is gone."""
        await self._collection.delete_many({"chat": chat_id})

    async def remove_user(self, user_id: int) -> None:
        """The account is gone."""
        await self._collection.delete_many({"user": user_id})

    async def renew(self) -> None:
        """Say that this process is still answering what it has begun."""
        await self._collection.update_many({"process": self._process}, {"$set": self._held()})

    async def release(self) -> None:
        """This process ends: what it has not answered is for whoever looks next."""
        await self._collection.update_many({"process": self._process}, {"$unset": {"process": "", "held_until_us": ""}})

    async def claim_left(self) -> list[Note]:
        """Take over what was left, in the order of the questions in each chat.

        Where there is no other process that is everything: nobody answers it now.
        """
        is_left: Document = {"process": {"$ne": self._process}}
        if not self._nova.is_alone:
            is_over = {"held_until_us": {"$lte": self._nova.clock.now_us()}}
            is_left["$or"] = [{"held_until_us": {"$exists": False}}, is_over]
        documents = []
        async for document in self._collection.find(is_left).sort("question", 1):
            claim = await self._collection.update_one({"_id": document["_id"], **is_left}, {"$set": self._held()})
            if claim.modified_count:
                documents.append(document)
        return [
            Note(
                document["_id"],
                document["question"],
                document["chat"],
                document["bot"],
                document["user"],
                document["asked_us"],
                document.get("message"),
            )
            for document in documents
        ]
