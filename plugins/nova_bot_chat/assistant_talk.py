"""What the assistant says without a command: small talk and questions about Nova, in English and Russian, by patterns.

A pattern is looked for in the folded text (small letters, without accents, ``ё`` as ``е`` and ``й`` as ``и``). The
first that fits answers, so what is more special stands first. Every pattern is linear: words and alternatives of words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nova_bot_chat.assistant_texts import fold, one_line

READ_CHARACTERS = 300
"""Of what was said; who writes more wants no small talk."""
NOT_UNDERSTOOD = "I did not understand that. Try /help."

_MARKS = re.compile(r"[.,!?;:()]+")
_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that the assistant can talk about.

    Attributes:
        english, russian: patterns of what is said; they must fit the whole text where ``is_whole``.
        answer, russian_answer: what is answered; ``{user}`` and ``{bot}`` stand for the names.
    """

    english: str
    russian: str
    answer: str
    russian_answer: str
    is_whole: bool = False


SMALL_TALK = (
    Topic(
        r"(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|day|afternoon|evening))(?: (?:there|again|all|{bot}))*",
        r"(?:привет|приветик|здравствуите|здравствуи|здорово|хаи|добр(?:ое|ыи) (?:утро|день|вечер))"
        r"(?: (?:{bot}|всем))*",
        "Hello, {user}! What can I do for you? /help shows it all.",
        "Привет, {user}! Чем помочь? Всё, что я умею, покажет /help.",
        is_whole=True,
    ),
    Topic(
        r"(?:(?:hi|hello|hey) )?(?:how are you|how(?:'|’)?s it going|how do you do|what(?:'|’)?s up"
        r"|are you (?:ok|well))(?: (?:today|doing|now))*",
        r"(?:привет )?(?:как (?:дела|ты|жизнь|поживаешь|вы|настроение)|что нового)(?: сегодня)?",
        "I am fine, thank you: nothing hurts in a chat server. And you?",
        "Всё хорошо, спасибо! А как у вас?",
        is_whole=True,
    ),
    Topic(
        r"\b(?:thanks|thank you|thank u|thx|cheers|much appreciated)\b",
        r"\b(?:спасибо|благодарю|спс)\b",
        "You are welcome, {user}!",
        "Пожалуйста, {user}!",
    ),
    Topic(
        r"(?:good ?bye|bye(?: bye)?|see you(?: later| soon| tomorrow)?|good night|farewell|cya)(?: {bot})?",
        r"(?:пока(?: пока)?|до свидания|до встречи|до завтра|спокоинои ночи|увидимся)(?: {bot})?",
        "Goodbye, {user}! I am here whenever you need me.",
        "До свидания, {user}! Я всегда здесь.",
        is_whole=True,
    ),
    Topic(
        r"\b(?:who|what) are you\b|\bwhat is your name\b|\bare you (?:a |an )?(?:bot|human|person|robot|real|ai)\b"
        r"|\bintroduce yourself\b",
        r"\bкто ты\b|\bты кто\b|\bкто вы\b|\bкак тебя зовут\b|\bты (?:бот|робот|человек)\b",
        "I am {bot}, the built-in assistant of this server: a small program that works by plain rules, without any "
        "outside service. I see only what is written to me and what you may read yourself. Try /help.",
        "Я {bot}, встроенный помощник этого сервера: небольшая программа, которая работает по простым правилам, без "
        "внешних служб. Я вижу только то, что пишут мне, и то, что можете читать вы сами. Наберите /help.",
    ),
    Topic(
        r"\b(?:what can you do|what do you do|what do you know|can you help|help me|i need help)\b|^help$",
        r"\b(?:что ты умеешь|что ты можешь|что вы умеете|помоги(?:те)?|нужна помощь)\b|^помощь$",
        "I can show your unread chats, search and summarise what you may read, remind you, hold polls, roll dice and "
        "tell the time around the world. /help lists the commands.",
        "Я покажу непрочитанные чаты, найду или перескажу то, что вам доступно, напомню о деле, проведу опрос, брошу "
        "кости и скажу, который час в другом городе. Список команд: /help.",
    ),
    Topic(
        r"\b(?:tell|know)(?: me)? (?:a |any )?jokes?\b",
        r"\b(?:расскажи|знаешь) (?:\w+ )?(?:шутку|анекдот)\b",
        "A message log walks into a bar: 1, 2, 3, 5 … no, wait, ours has no gaps.",
        "Заходит журнал сообщений в бар: 1, 2, 3, 5 … нет, стоп, в нашем пропусков не бывает.",
    ),
)

ABOUT_NOVA = (
    Topic(
        r"\b(?:read my|see my|spy|privacy|private data|my data)\b",
        r"\b(?:читаешь мо\w*|видишь мо\w*|приватност\w*|личные данные|мои данные)\b",
        "I see what is written to me in our private chat, and in groups the messages that mention me or call a "
        "command, with a few before them. /search, /summary and /unread look only at what you may read yourself, and "
        "I answer about your other chats only in private.",
        "Я вижу то, что пишут мне лично, а в группах – сообщения, где меня упоминают или вызывают команду, и несколько "
        "перед ними. /search, /summary и /unread смотрят только то, что можете читать вы, а о других ваших чатах я "
        "отвечаю только лично.",
    ),
    Topic(
        r"\b(?:add|find|make|invite|get) (?:\w+ )?friends?\b|\bfriend requests?\b",
        r"\b(?:добавить|наити|пригласить|завести) (?:\w+ )?друз\w*|\b(?:добавить|пригласить) (?:\w+ )?друга\b",
        "Look the person up by name and send a friend request; once it is accepted, you two have a private chat.",
        "Найдите человека по имени и отправьте заявку в друзья; когда её примут, у вас появится личный чат.",
    ),
    Topic(
        r"\b(?:create|make|start|open|new) (?:\w+ )?(?:group|chat|room)s?\b",
        r"\b(?:создать|сделать|открыть|новыи|новую) (?:\w+ )?(?:групп\w*|чат\w*|комнат\w*)",
        "Make a group with a title and its first members; whoever makes it owns it, and can name admins. Add me to it, "
        "and I answer there when somebody mentions me or calls a command.",
        "Создайте группу с названием и первыми участниками; создатель – её владелец и может назначать администраторов. "
        "Добавьте туда меня, и я буду отвечать, когда меня упомянут или вызовут команду.",
    ),
    Topic(
        r"\b(?:edit|change|delete|recall|remove|unsend) (?:\w+ )?messages?\b",
        r"\b(?:изменить|исправить|удалить|отозвать) (?:\w+ )?сообщени\w*",
        "You can edit your own messages, take them back for everybody, or delete any message for yourself alone.",
        "Свои сообщения можно исправить или отозвать у всех, а любое сообщение – удалить только у себя.",
    ),
    Topic(
        r"\b(?:forgot|change|reset|lost) (?:\w+ )?password\b",
        r"\b(?:забыл\w*|сменить|изменить|сбросить) (?:\w+ )?пароль\b",
        "You change your password in your profile; that signs all your other devices out. Never tell it to anybody, "
        "nor to me.",
        "Пароль меняется в профиле; остальные ваши устройства при этом выходят из системы. Никому его не сообщайте, "
        "и мне тоже.",
    ),
    Topic(
        r"\b(?:protocols?|websockets?|api)\b",
        r"\b(?:протокол\w*|вебсокет\w*|апи)\b",
        "Nova speaks five protocols: actions (its own), methods, modes, rooms and opcodes. Whoever uses one of them "
        "sits in the same chats as those who use the others.",
        "Nova говорит на пяти протоколах: actions (свой), methods, modes, rooms и opcodes. Кто пользуется одним из "
        "них, сидит в тех же чатах, что и остальные.",
    ),
    Topic(
        r"\b(?:plugins?|extend|extensions?|own bot|bots)\b",
        r"\b(?:плагин\w*|расширени\w*|свои бот|свое?го бота|ботов|боты)\b",
        "Nova grows by plugins: protocols, bots, commands and filters are all plugins. `nova plugins` lists those of a "
        "server.",
        "Nova расширяется плагинами: протоколы, боты, команды и фильтры – всё это плагины. Их список: `nova plugins`.",
    ),
    Topic(
        r"\bwhat(?:'|’)?s? (?:is )?nova\b|\babout nova\b|\bwhat is this (?:server|place)\b|\btell me about this\b",
        r"\b(?:что такое|о|про) nova\b|\b(?:что такое|про|о) нов[аеу]\b|\bчто это за (?:сервер|чат)\b",
        "Nova is a self-hosted chat server: private chats and groups over five protocols, with every message kept in "
        "order in one place. I am its assistant.",
        "Nova – чат-сервер, который ставят у себя: личные чаты и группы на пяти протоколах, и все сообщения хранятся "
        "по порядку в одном месте. А я её помощник.",
    ),
)

INTENTS = (
    (
        "unread",
        r"\b(?:unread|what did i miss|did i miss anything|any news|new messages)\b"
        r"|\b(?:непрочитанн\w*|что я пропустил\w*|новые сообщения)\b",
    ),
    (
        "time",
        r"^what(?: time is it|(?:'|’)?s? (?:is )?the time)(?: now)?(?: in (?P<arguments>[^?]+))?\??$"
        r"|^(?:которыи(?: сеичас)? час|сколько(?: сеичас)? времени)\??$",
    ),
    ("roll", r"\b(?:roll|throw) (?:a |the )?(?:dice|die)\b|\bброс(?:ь|аи) (?:кости|кубик)\b"),
)
"""What means one of the commands in plain words; the group ``arguments`` is what the command is given."""

_INTENTS = tuple((name, re.compile(pattern)) for name, pattern in INTENTS)


def find_intent(text: str) -> tuple[str, str] | None:
    """The command that a sentence asks for in plain words, with its arguments."""
    if len(text) > READ_CHARACTERS:
        return None
    folded = one_line(fold(text))
    for name, pattern in _INTENTS:
        if found := pattern.search(folded):
            return name, found.groupdict().get("arguments") or ""
    return None


def _plain(text: str) -> str:
    return one_line(_MARKS.sub(" ", fold(text)))


class Talk:
    """Answers by patterns.

    Args:
        bot_name: by which it may be called.
        topics: in the order in which they are tried.
    """

    def __init__(self, bot_name: str, topics: Sequence[Topic] = SMALL_TALK + ABOUT_NOVA) -> None:
        name = re.escape(_plain(bot_name))
        self._bot_name = bot_name
        self._topics = [
            (
                re.compile("|".join(f"(?:{each.replace('{bot}', name)})" for each in (topic.english, topic.russian))),
                topic,
            )
            for topic in topics
        ]

    def answer(self, text: str, user_name: str) -> str | None:
        """What is answered to a text that is no command; None if it is not understood.

        Args:
            user_name: by which the user is addressed.
        """
        if len(text) > READ_CHARACTERS:
            return None
        folded = _plain(text)
        for pattern, topic in self._topics:
            if pattern.fullmatch(folded) if topic.is_whole else pattern.search(folded):
                answer = topic.russian_answer if _CYRILLIC.search(text) else topic.answer
                return answer.format(user=user_name, bot=self._bot_name)
        return None
