"""The little world on the pictures of docs/img: who lives there, what they look like, and what they have said.

The story is told in its order, on a server whose clock is moved by hand.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.async_api import BrowserContext

from nova_tornado.testing.people import Person
from nova_tornado.testing.running import RunningNova

_TODAY = datetime.now(UTC)
NOW = (_TODAY - timedelta(days=(_TODAY.weekday() - 1) % 7 or 7)).replace(hour=14, minute=32, second=0, microsecond=0)
"""When the pictures are taken: on the last Tuesday. Not long ago: the database, which knows the real time only, removes
sessions that have expired."""
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)

AVATAR_PX = 256
PICTURE_PX = 960

FACES = {
    # background, skin, hair, shirt, style of the hair
    "maya": ("#c9bcff", "#d9a078", "#3a2a20", "#4b3fb5", "long"),
    "jonas": ("#ffd9a8", "#f2c9a5", "#c98b3a", "#2f6f5e", "short"),
    "priya": ("#ffc6d2", "#b97a4f", "#1f1a1a", "#b3365b", "bun"),
    "elena": ("#b8e6d9", "#f5d2b8", "#8a3b2a", "#27766a", "bob"),
    "tomasz": ("#bcd9ff", "#eec3a0", "#4a3a2e", "#2c4f8f", "beard"),
    "wei": ("#ffe9a3", "#f0cba0", "#1d1d24", "#96702a", "short"),
    "robert": ("#d8dee6", "#f0c8a8", "#b9bcc2", "#4d5a6b", "bald"),
    "oliver": ("#e3d5c8", "#c98d63", "#5a3d28", "#7a4a2b", "beard"),
    "sam": ("#d2f0b6", "#8a5a3c", "#241c18", "#4d7a26", "curls"),
}
"""Who has drawn a picture of themselves. The others keep the one that Nova makes of their name."""

HAIR = {
    "long": '<path d="M70 120c0-90 116-90 116 0v90H70z" fill="{0}"/>',
    "bob": '<path d="M66 130c0-100 124-100 124 0v34H66z" fill="{0}"/>',
    "bun": '<circle cx="128" cy="44" r="26" fill="{0}"/><path d="M74 116c0-76 108-76 108 0v24H74z" fill="{0}"/>',
    "short": "",
    "beard": "",
    "bald": "",
    "curls": "".join(
        f'<circle cx="{x}" cy="{y}" r="24" fill="{{0}}"/>' for x, y in ((82, 84), (174, 84), (74, 120), (182, 120))
    ),
}
FRINGE = {
    "long": '<path d="M80 112c4-56 92-56 96 0-30-6-50-22-58-34-6 16-20 30-38 34z" fill="{0}"/>',
    "bob": '<path d="M78 118c2-62 98-62 100 0-40 0-70-12-84-32-2 14-8 26-16 32z" fill="{0}"/>',
    "bun": '<path d="M80 106c6-54 90-54 96 0-20-20-76-20-96 0z" fill="{0}"/>',
    "short": '<path d="M76 112c-6-72 110-72 104 0-6-14-14-22-22-26-20 8-44 8-60-2-10 6-18 14-22 28z" fill="{0}"/>',
    "beard": '<path d="M78 104c0-64 100-64 100 0-26-18-74-18-100 0z" fill="{0}"/>'
    '<path d="M80 130c4 60 92 60 96 0-12 14-30 16-48 16s-36-2-48-16z" fill="{0}"/>',
    "bald": '<path d="M78 118c-4-10-4-20 0-30 0 10 2 18 6 24zM178 118c4-10 4-20 0-30 0 10-2 18-6 24z" fill="{0}"/>',
    "curls": "".join(f'<circle cx="{x}" cy="66" r="22" fill="{{0}}"/>' for x in (98, 128, 158)),
}

RIDGE = """
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 600">
<defs><linearGradient id="sky" x2="0" y2="1"><stop stop-color="#ffb88c"/><stop offset=".55" stop-color="#ffd9b0"/>
<stop offset="1" stop-color="#fff1dc"/></linearGradient></defs>
<rect width="960" height="600" fill="url(#sky)"/><circle cx="690" cy="190" r="62" fill="#fff6e0"/>
<path d="M0 330l120-90 90 60 150-140 130 120 90-60 160 110 90-50 130 90v230H0z" fill="#b99ac4"/>
<path d="M0 400l150-90 120 70 110-60 170 90 120-70 130 80 160-60v240H0z" fill="#8a78ab"/>
<path d="M0 470c140-70 260-50 380-20s240 10 330-30 180-30 250 0v180H0z" fill="#55598a"/>
<path d="M0 540c160-60 330-40 480-10s330 0 480-50v120H0z" fill="#333c63"/>
<path d="M420 600c20-60 90-60 70-100s-70-30-60-60" stroke="#f4e3c8" stroke-width="9" fill="none"/>
<g fill="#262d4d"><path d="M110 560l26-84 26 84zM150 570l20-64 20 64zM820 545l26-90 26 90zM862 560l20-70 20 70z"/></g>
</svg>"""

KITCHEN = """
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 600"><rect width="960" height="600" fill="#f4ede2"/>
<rect y="430" width="960" height="170" fill="#d9b992"/>
<g stroke="#c6a27a" stroke-width="3"><path d="M0 490h960M0 550h960"/></g>
<rect x="60" y="60" width="260" height="150" fill="#3e6b63"/>
<g fill="#4d7f76"><rect x="340" y="60" width="170" height="150"/><rect x="60" y="322" width="840" height="150"/></g>
<rect x="60" y="300" width="840" height="22" fill="#fbfaf7"/>
<g fill="#e6c068"><rect x="180" y="190" width="26" height="6"/><rect x="412" y="190" width="26" height="6"/>
<rect x="180" y="350" width="40" height="6"/><rect x="420" y="350" width="40" height="6"/></g>
<g stroke="#3e6b63" stroke-width="4"><path d="M340 322v150M620 322v150"/></g>
<rect x="580" y="50" width="260" height="170" fill="#bfe3f2"/>
<path d="M580 220l90-80 60 50 50-40 60 70z" fill="#7fb69a"/>
<g stroke="#fff" stroke-width="10" fill="none"><rect x="580" y="50" width="260" height="170"/>
<path d="M710 50v170"/></g>
<path d="M690 300v-36a18 18 0 0 1 36 0" stroke="#8c8f94" stroke-width="9" fill="none"/>
<circle cx="470" cy="272" r="26" fill="#7fb069"/><rect x="450" y="272" width="40" height="28" fill="#c96f4a"/></svg>"""


def face(name: str) -> str:
    """A drawn person, as SVG."""
    background, skin, hair, shirt, style = FACES[name]
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">
<rect width="256" height="256" fill="{background}"/>{HAIR[style].format(hair)}
<path d="M28 270c6-66 48-84 100-84s94 18 100 84z" fill="{shirt}"/>
<path d="M106 160h44v34c0 14-10 22-22 22s-22-8-22-22z" fill="{skin}" style="filter:brightness(.92)"/>
<ellipse cx="128" cy="122" rx="49" ry="57" fill="{skin}"/>{FRINGE[style].format(hair)}
<g fill="#2b2430"><circle cx="110" cy="122" r="5"/><circle cx="146" cy="122" r="5"/></g>
<path d="M112 148q16 13 32 0" stroke="#2b2430" stroke-width="4.5" fill="none" stroke-linecap="round"/></svg>"""


@dataclass(frozen=True)
class Line:
    """Something that somebody says.

    Attributes:
        ago: how long before the pictures.
        chat: where: a name of `World.chats`.
        by: who.
        key: what replies call it.
        reply_to: the key of what it answers.
        picture: a drawing that comes with it.
        edited: what it says after an edit.
    """

    ago: timedelta
    chat: str
    by: str
    text: str
    key: str = ""
    reply_to: str = ""
    picture: str = ""
    edited: str = ""


STORY = (
    Line(3 * DAY, "books", "elena", "I finished it on the train. *Not one* dry eye in the carriage."),
    Line(3 * DAY - 9 * MINUTE, "books", "maya", "No spoilers, I am on page 40!"),
    Line(2 * DAY + 2 * HOUR, "maya-tomasz", "tomasz", "Thanks for the drill, it is back in your shed."),
    Line(2 * DAY, "kitchen", "jonas", "The fronts are in. Green it is.", picture=KITCHEN),
    Line(2 * DAY - 20 * MINUTE, "kitchen", "maya", "Oh, that is lovely with the brass."),
    Line(DAY + 5 * HOUR, "maya-wei", "wei", "周末见！我把地图发给你。"),
    Line(DAY + 4 * HOUR, "maya-wei", "maya", "Great, see you then!"),
    Line(
        DAY + 3 * HOUR, "hike", "jonas", "Who is in for the ridge on Saturday? Forecast says sun until four.", key="who"
    ),
    Line(DAY + 3 * HOUR - MINUTE, "hike", "priya", "Me! And my new boots.", reply_to="who"),
    Line(DAY + 2 * HOUR, "hike", "elena", "In. I can bring the stove and coffee ☕"),
    Line(6 * HOUR, "hike", "tomasz", "The ridge last autumn, to get you in the mood.", picture=RIDGE),
    Line(
        5 * HOUR + 40 * MINUTE,
        "hike",
        "maya",
        "Stunning. The plan, then:\n\n- **7:40** train from platform 3\n- **9:15** at the trailhead, bus `412`\n"
        "- back by *six*, soup at my place",
        key="plan",
    ),
    Line(5 * HOUR + 38 * MINUTE, "hike", "elena", "Soup! 🍲 I am sold twice.", reply_to="plan"),
    Line(
        5 * HOUR + 30 * MINUTE,
        "hike",
        "jonas",
        "I will take the rope.",
        edited="I will take the first-aid kit and two headlamps.",
    ),
    Line(4 * HOUR, "nova", "maya", "/time Tokyo"),
    Line(3 * HOUR + 50 * MINUTE, "nova", "maya", "/remind 2d Pack the rain jackets"),
    Line(3 * HOUR + 49 * MINUTE, "nova", "maya", "/summary Saturday hike"),
    Line(
        3 * HOUR,
        "design",
        "wei",
        "The new icons are in the branch. Sizes as we said:\n\n```css\n.icon {\n  inline-size: 1.25rem;\n"
        "  stroke-width: 1.75;\n}\n```",
    ),
    Line(2 * HOUR + 50 * MINUTE, "design", "maya", "Beautiful. Shipping them today."),
    Line(2 * HOUR + 49 * MINUTE, "design", "wei", "🎉"),
    Line(70 * MINUTE, "design", "priya", "I have put the notes of the review on the wiki."),
    Line(
        69 * MINUTE, "design", "priya", "And we moved the next one to *Thursday, eleven*. @maya, can you show the rail?"
    ),
    Line(40 * MINUTE, "maya-robert", "robert", "Your mother asks whether you eat enough. I said soup."),
    Line(25 * MINUTE, "hike", "priya", "Is it all right if Noor comes along? She has a car for the way back."),
    Line(21 * MINUTE, "hike", "maya", "Of course, the more the merrier. I will add her."),
    Line(8 * MINUTE, "maya-priya", "priya", "Noor says yes!"),
    Line(7 * MINUTE, "maya-priya", "priya", "She would love to bring her dog, too. 🐕"),
)
UNREAD = ("design", "maya-priya")
"""In all other chats Maya has read everything."""
ONLINE = ("jonas", "priya", "elena", "wei")


class World:
    """The people, their chats, and the time.

    Attributes:
        people: by name.
        chats: ids by the names that this file gives them; `maya-jonas` is the private chat of the two.
    """

    def __init__(self, nova: RunningNova, artist: BrowserContext) -> None:
        self._nova = nova
        self._artist = artist
        self._moved_s = 0.0
        self.people: dict[str, Person] = {}
        self.chats: dict[str, int] = {}

    async def build(self) -> None:
        """Let everything happen."""
        self._move_to(NOW - 6 * DAY)
        await self._join("maya", "jonas", "priya", "elena", "tomasz", "wei", "robert", "sam", "noor", "oliver")
        await self._befriend("maya", "jonas", "priya", "elena", "tomasz", "wei", "robert", "oliver")
        await self._befriend("jonas", "priya", "elena", "tomasz")
        await self._befriend("priya", "wei", "noor")
        await self._make_groups()
        await self._sort_friends()
        ids: dict[str, int] = {}
        for line in sorted(STORY, key=lambda line: line.ago, reverse=True):
            ids[line.key] = await self._say(line, ids[line.reply_to] if line.reply_to else None)
        self._move_to(NOW)
        for key, chat_id in self.chats.items():
            if key not in UNREAD and ("maya" in key or "-" not in key):
                await self.act("maya", "messages_read", {"chat_id": chat_id})
        for name in ("jonas", "elena"):
            await self.act(name, "messages_read", {"chat_id": self.chats["hike"]})
        maya = self.people["maya"]
        words = "We met at the climbing gym. I have your chalk bag!"
        await self.people["sam"].post("/friend/invite", {"id": maya.id, "comment": words, "source": "search"})
        for name in ONLINE:
            await self.people[name].speak("actions")

    async def act(self, name: str, action: str, data: Any) -> list[Any]:
        """One packet of somebody's; returns what came of it."""
        client = await self.people[name].speak("actions")
        await client.send({"action": action, "data": data})
        packets = await client.drain()
        client.close()
        refusals = [packet for packet in packets if not packet["ok"]]
        assert not refusals, refusals
        return packets

    def _move_to(self, moment: datetime) -> None:
        target_s = moment.timestamp() - time.time()
        self._nova.clock.move(target_s - self._moved_s)
        self._moved_s = target_s

    async def _join(self, *names: str) -> None:
        for name in names:
            self.people[name] = person = await self._nova.person(name)
            if name in FACES:
                await self._upload(person, "/user/avatar", await self._draw(face(name), AVATAR_PX))

    async def _befriend(self, name: str, *others: str) -> None:
        for other in others:
            self.chats[f"{name}-{other}"] = await self.people[name].befriend(self.people[other])

    async def _make_groups(self) -> None:
        for key, name, owner, *members in (
            ("hike", "Saturday hike", "maya", "jonas", "priya", "elena", "tomasz"),
            ("kitchen", "Kitchen renovation", "jonas", "maya", "tomasz"),
            ("design", "Design team", "priya", "maya", "wei"),
            ("books", "Book circle", "maya", "elena", "priya"),
        ):
            others = [self.people[member] for member in members]
            self.chats[key] = await self.people[owner].new_group(*others, name=name)
        maya = self.people["maya"]
        await maya.post(f"/chat/{self.chats['hike']}/{self.people['jonas'].id}/admin", True)
        bots = (await maya.get("/bots")).data["bots"]
        nova_id = next(bot["user"]["id"] for bot in bots if bot["user"]["user_name"] == "nova")
        client = await maya.speak("actions")
        await maya.post("/friend/invite", {"id": nova_id, "comment": "", "source": "search"})
        while (packet := await client.receive())["action"] != "new_message":
            pass  # until it has accepted
        self.chats["nova"] = packet["data"]["message"]["chat_id"]
        client.close()

    async def _sort_friends(self) -> None:
        maya = self.people["maya"]
        for group, *names in (("Family", "robert"), ("Work", "wei", "priya")):
            group_id = (await maya.post("/friend/group/add", {"group_name": group})).data["group_id"]
            for name in names:
                await maya.patch(f"/friend/{self.people[name].id}", {"group_id": group_id})
        await maya.patch(f"/friend/{self.people['robert'].id}", {"nickname": "Dad"})
        facts = {"old_password": self.people["jonas"].password, "email": "jonas@example.org", "phone": "15912345678"}
        await self.people["jonas"].patch("/user", facts)

    async def _say(self, line: Line, reply_to: int | None) -> int:
        self._move_to(NOW - line.ago)
        person = self.people[line.by]
        data: dict[str, Any] = {"chat_id": self.chats[line.chat], "content": line.text}
        if reply_to is not None:
            data["reply_to"] = reply_to
        if line.picture:
            data["files"] = [(await self._upload(person, "/files", await self._draw(line.picture, PICTURE_PX)))["id"]]
        if line.chat == "nova":
            await self._ask(data)
            return 0
        packets = await self.act(line.by, "send_message", data)
        sent = next(packet["data"]["message"] for packet in packets if packet["action"] == "new_message")
        message_id: int = sent["message_id"]
        if line.edited:
            await self.act(line.by, "edit_message", {"message_id": message_id, "content": line.edited})
        return message_id

    async def _ask(self, data: Any) -> None:
        """Ask the assistant, and wait for its answer."""
        client = await self.people["maya"].speak("actions")
        await client.send({"action": "send_message", "data": data})
        sender = ""
        while sender != "nova":
            packet = await client.receive()
            sender = packet["data"]["message"]["sender"]["user_name"] if packet["action"] == "new_message" else ""
        client.close()

    async def _upload(self, person: Person, path: str, png: bytes) -> Any:
        """Send a picture as a form; returns the answer's data."""
        head = b'--picture\r\nContent-Disposition: form-data; name="file"; filename="picture.png"\r\n\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=picture"}
        answer = await person.request("POST", path, raw_body=head + png + b"\r\n--picture--\r\n", headers=headers)
        return answer.data

    async def _draw(self, svg: str, width_px: int) -> bytes:
        """A drawing as PNG."""
        page = await self._artist.new_page()
        await page.set_content(f"<style>body{{margin:0}}svg{{display:block;width:{width_px}px}}</style>{svg}")
        data = await page.locator("svg").screenshot()
        await page.close()
        return data
