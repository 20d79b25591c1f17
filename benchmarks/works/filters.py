"""What rules cost a send: a chat without rules, one with a word, one with a thousand. Nova alone."""

from __future__ import annotations

import functools
import random
import string
import time
from collections.abc import Callable, Mapping

from benchmarks.harness.results import Figures
from benchmarks.works.nova_work import NovaWork
from benchmarks.works.work import Sent, connect_all, send_to_chat

MEMBERS = 10
LONG_CHARACTERS = 20_000
"""The longest text that a message can have."""
ROUNDS_OF_LONG = 20
ALPHABETS = {
    "ascii": string.ascii_lowercase,
    "accented": string.ascii_lowercase + "éüñ",
    "cyrillic": "".join(map(chr, range(0x430, 0x450))),
    "han": "".join(map(chr, range(0x4E00, 0x5200))),
}


def _words(count: int, alphabet: str, seed: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(alphabet, k=chance.randint(3, 9))) for _ in range(count)]


def match_us(word_count: int) -> Mapping[str, float]:
    """The least time that finding nothing takes in a text of 20,000 characters, by kind of letters, in µs."""
    from nova_message_filters.words import Text, WordSet  # needs Nova's environment; the other works do not

    matcher = WordSet(f"{word}zq" for word in _words(word_count, string.ascii_lowercase, 1))
    found = {}
    for name, alphabet in ALPHABETS.items():
        text = " ".join(_words(LONG_CHARACTERS // 4, alphabet, 2))[:LONG_CHARACTERS]
        times_s = []
        for _ in range(ROUNDS_OF_LONG):
            begin_s = time.perf_counter()
            matcher.is_in(Text(text))
            times_s.append(time.perf_counter() - begin_s)
        found[name] = round(min(times_s) * 1e6)
    return found


class Filters(NovaWork):
    """Sends to the three chats in turn, saturated, within each run. Bodies have 100 bytes and break no rule."""

    name = "filters"
    title = "Filters: a send under a rule of 1,000 words against one without rules"
    cost = "ratio"
    cost_title = "server CPU of a send, with to without"
    columns = (
        ("plain_cpu_us", "no rules: CPU µs per send"),
        ("one_cpu_us", "1 word: CPU µs"),
        ("words_cpu_us", "1,000 words: CPU µs"),
        ("more_us", "… more than without, µs"),
        ("words_more_us", "… more than with 1 word, µs"),
        *((f"long_{name}_us", f"20,000 characters, {name}: µs") for name in ALPHABETS),
        ("lost", "lost"),
    )

    def prepare(self) -> None:
        """Make three groups of the same members, and rules; connect everybody."""
        self.nova.prepare("fanout", MEMBERS)
        owner, *others = [self.nova.account(index) for index in range(MEMBERS)]
        self._chats: dict[str, int] = {}
        for name, word_count in (("plain", 0), ("one", 1), ("words", self.options.words)):
            chat_id = self._chats[name] = self.nova.api.new_group(owner, name, others)
            if word_count:
                words = [
                    f"{word}zq{number}" for number, word in enumerate(_words(word_count, string.ascii_lowercase, 1))
                ]
                rule = {"name": name, "kind": "words", "words": words, "action": "refuse"}
                self.nova.api.call("POST", f"/chat/{chat_id}/rules", rule, owner)
        self._connections = connect_all(self.peer, self.hub, MEMBERS, join=False)
        for name in self._chats:
            self._send(name, min(0.5, self.options.run_s))

    def _send(self, name: str, run_s: float) -> Sent:
        message: Callable[[bytes], bytes] = functools.partial(self.nova.message, self._chats[name])
        return send_to_chat(
            self.peer, self.hub, self._connections, message, members=MEMBERS, options=self.options, run_s=run_s
        )

    def measure(self) -> Figures:
        """One run: each chat twice, there and back, so that a trend of the machine hits all alike."""
        cpu_s = dict.fromkeys(self._chats, 0.0)
        messages = dict.fromkeys(self._chats, 0)
        lost = 0
        for name in (*self._chats, *reversed(self._chats)):
            sent = self._send(name, self.options.run_s / 2)
            cpu_s[name] += sent.meter.server_s
            messages[name] += sent.messages
            lost += sent.expected - self.hub.marks
        cpu_us = {name: cpu_s[name] / messages[name] * 1e6 for name in self._chats}
        return {
            "words": self.options.words,
            **{f"{name}_cpu_us": round(value, 1) for name, value in cpu_us.items()},
            "more_us": round(cpu_us["words"] - cpu_us["plain"], 1),
            "words_more_us": round(cpu_us["words"] - cpu_us["one"], 1),
            "ratio": round(cpu_us["words"] / cpu_us["plain"], 3),
            **{f"long_{name}_us": value for name, value in match_us(self.options.words).items()},
            "lost": lost,
        }
