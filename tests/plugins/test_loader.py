"""Finding, checking and calling plugins. Source: DESIGN, section 6."""

import asyncio
import json
import re
import sys
import types
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from clients.base import ProtocolClient
from docs.transcripts import blocks
from people import Person
from tornado.testing import bind_unused_port

from nova_tornado.api import (
    ActionsHandler,
    ClientModule,
    CollectionSpec,
    Command,
    Index,
    JsonSocket,
    MountedProtocol,
    Packet,
    PluginOption,
    SignedInSocket,
    WireProtocol,
    dumps,
    errors,
    events,
    hookimpl,
)
from nova_tornado.app import StartError, describe_plugins
from nova_tornado.cli import nova as command_line
from nova_tornado.plugin import dispatch, hookspecs, lifespans, loader
from nova_tornado.plugin.loader import PluginError, Plugins
from nova_tornado.plugin_strikes import read_strikes
from nova_tornado.realtime.connection import CLOSE_SESSION_ENDED
from nova_tornado.services import filters
from nova_tornado.settings import GivenValue, Settings

HOOKS = [name for name in vars(hookspecs) if name.startswith("nova_")]

CLIENT = Path(__file__).parents[2] / "static" / "client"
"""A folder that has modules in it."""

GUIDE_LANGUAGES = ("python", *(f"python {title}" for title in ("ticker", "quiet", "parrot", "starts")))

OWN = (
    *("nova_bot_chat", "nova_chat_invitations", "nova_message_filters"),
    *("nova_methods", "nova_modes", "nova_opcodes", "nova_rooms"),
)


@pytest.fixture
def plugin(monkeypatch):
    """Makes plugins: ``plugin("name", nova_routes=...)`` is the entry point of a module with those functions."""

    def make(name, *, value=None, mark=hookimpl, **functions):
        if value is None:
            module = types.ModuleType(f"sample_{name}")
            for function_name, function in functions.items():
                setattr(module, function_name, mark(function))
            monkeypatch.setitem(sys.modules, module.__name__, module)
            value = module.__name__
        return EntryPoint(name, value, hookspecs.ENTRY_POINT_GROUP)

    return make


def refusal(start, *arguments, **more):
    """The one line with which a start is refused."""
    with pytest.raises((PluginError, StartError)) as caught:
        start(*arguments, **more)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 300, text
    return text


class Hello(ActionsHandler):
    async def get(self):
        self.reply("hello")


class Ticker(WireProtocol):
    """A protocol that tells everybody of every chat that was made."""

    def __init__(self, name="ticker"):
        self.name = name
        self.ended = 0

    def render(self, event):
        if isinstance(event, events.ChatCreated):
            yield Packet(dumps({"chat": event.chat.title}), to_everybody=True)

    def end_session(self, connection):
        self.ended += 1
        super().end_session(connection)


class TickerSocket(JsonSocket, SignedInSocket):
    async def answer(self, frame):
        self.send({"protocol": self.protocol.name, "user": self.user.name, "frame": frame})

    def refuse_frame(self, error, frame):
        self.send({"error": error.message})


class Filter:
    """Keeps what it was asked about; answers what the test wants."""

    fails_open = True

    def __init__(self, name, answer=None, **attributes):
        self.name = name
        self.answer = answer
        self.asked = []
        vars(self).update(attributes)

    def concerns(self, chat, sender):
        return True

    async def check(self, message):
        self.asked.append(message)
        return self.answer(message) if callable(self.answer) else self.answer


# What stops the start


def test_a_plugin_that_cannot_be_loaded_stops_the_start_with_one_line_that_names_it(plugin, tmp_path, monkeypatch):
    (tmp_path / "sample_raising.py").write_text('raise RuntimeError("first line\\nsecond line")')
    (tmp_path / "sample_unreadable.py").write_text("def broken(:")
    (tmp_path / "sample_needy.py").write_text("import no_such_dependency")
    (tmp_path / "sample_plain.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    for value, part in (
        ("no_such_module", "no_such_module"),
        ("sample_raising", "first line second line"),
        ("sample_unreadable", "syntax"),
        ("sample_needy", "no_such_dependency"),
        ("sample_plain:missing", "missing"),
    ):
        text = refusal(Plugins, found=[plugin("good"), plugin("bad", value=value)])
        assert text.startswith("plugin bad: cannot be loaded: ") and part in text, text


def test_names_that_are_there_twice_or_not_at_all_stop_the_start(plugin):
    text = refusal(Plugins, found=[plugin("one"), plugin("two"), plugin("one", value="elsewhere")])
    assert text == "plugin one: installed twice (sample_one, elsewhere)"
    text = refusal(Plugins, off=("two", "tow"), found=[plugin("one"), plugin("two")])
    assert text == "plugin tow: switched off in the settings, but there is none of that name"
    text = refusal(describe_plugins, Settings(plugins_off=("no_such",)))
    assert text.startswith("plugin no_such: ")


def test_one_module_under_two_names_stops_the_start(plugin):
    text = refusal(Plugins, found=[plugin("one"), plugin("two", value="sample_one")])
    assert text.startswith("plugin two: ")


def test_a_hook_that_is_misspelt_or_not_marked_or_wants_too_much_stops_the_start(plugin):
    def without_mark(function):
        return function

    for more, part in (
        ({"nova_rutes": lambda nova: []}, "nova_rutes"),
        ({"mark": without_mark, "nova_routes": lambda nova: []}, "nova_routes is not marked with @hookimpl"),
        ({"mark": without_mark, "nova_rutes": lambda nova: []}, "nova_rutes is not marked with @hookimpl"),
        ({"nova_routes": lambda nova, application: []}, "application"),
    ):
        text = refusal(Plugins, found=[plugin("good"), plugin("bad", **more)])
        assert text.startswith("plugin bad: ") and part in text, text


def test_helpers_of_any_other_name_need_no_mark(plugin):
    point = plugin("good", mark=lambda function: function, novelty=lambda: 1, _nova_x=lambda: 2)
    assert Plugins(found=[point]).infos[0].hooks == ()


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook != "nova_cli"])  # which the server does not call
def test_a_hook_that_raises_or_returns_no_list_stops_the_start(plugin, start_nova, settings, hook):
    def raising():
        raise ValueError("went\nwrong")

    for function, part in ((raising, "went wrong"), (lambda: 5, "int")):
        plugins = Plugins(found=[plugin("good"), plugin("bad", **{hook: function})])
        text = refusal(start_nova, settings, plugins=plugins)
        assert text.startswith(f"plugin bad: {hook} ") and part in text, text


async def answer(asked):
    return ""


BAD_ITEMS = {
    "nova_collections": [None, "chats", ("chats",)],
    "nova_routes": [None, "/a", ("/a",), (5, Hello), ("/a", "Hello"), ("/a", dict), ("/(", Hello), ("/a", Hello, 5)],
    "nova_protocols": [
        None,
        "ticker",
        Ticker(),
        MountedProtocol(object(), []),
        MountedProtocol(Ticker(), [("/a", dict)]),
    ],
    "nova_subscribers": [
        None,
        object(),
        types.SimpleNamespace(on_event=lambda event: None),
        *(
            types.SimpleNamespace(on_event=answer, event_types=kinds)
            for kinds in (events.MessageSent, [events.MessageSent], ("MessageSent",), (events.MessageSent, int))
        ),
    ],
    "nova_settings": [None, "url", ("url", ""), PluginOption("Url", ""), PluginOption("a-b", ""), PluginOption("", "")],
    "nova_message_filters": [
        None,
        types.SimpleNamespace(name="a", fails_open=True, concerns=lambda chat, sender: True),
        types.SimpleNamespace(name="a", fails_open=1, concerns=lambda chat, sender: True, check=answer),
        types.SimpleNamespace(name="a", fails_open=True, check=answer),
        types.SimpleNamespace(name="a", fails_open=True, concerns=lambda chat, sender: True, check=lambda message: ""),
    ],
    "nova_bots": [
        None,
        "parrot",
        types.SimpleNamespace(name="a b", avatar_url="", help="", reply=answer),
        types.SimpleNamespace(name="a", avatar_url=None, help="", reply=answer),
        types.SimpleNamespace(name="a", avatar_url="", help="", reply=lambda conversation: ""),
    ],
    "nova_client_modules": [
        None,
        "client",
        Path("client"),
        ClientModule("client"),
        ClientModule(Path("no-such-folder")),
        ClientModule(Path(__file__)),
        ClientModule(Path(__file__).parent, "test_loader.py"),
        *(
            ClientModule(CLIENT, entry)
            for entry in ("no-such.js", "", "../client/config.js", "/config.js", "./config.js")
        ),
        *(ClientModule(CLIENT, "config.js", messages=name) for name in ("no-such", "config.js", "..")),
        *(ClientModule(CLIENT, "config.js", stylesheet=name) for name in ("no-such.css", "config.js")),
    ],
    "nova_commands": [None, "roll", Command("/roll", "", "", answer), Command("roll", "", "", lambda conversation: "")],
    "nova_lifespan": [None, object(), asynccontextmanager(answer)],
}


@pytest.mark.parametrize("hook", BAD_ITEMS)
def test_an_item_that_a_hook_is_not_for_stops_the_start(plugin, start_nova, settings, hook):
    for item in BAD_ITEMS[hook]:
        plugins = Plugins(found=[plugin("bad", **{hook: lambda: [item]})])  # noqa: B023 (called in this turn)
        text = refusal(start_nova, settings, plugins=plugins)
        assert text.startswith(f"plugin bad: {hook} failed: "), (item, text)


def test_what_is_there_already_cannot_be_given_again(plugin, start_nova, settings):
    def routes(*paths):
        return {"nova_routes": lambda: [(path, Hello) for path in paths]}

    def collections(*names):
        return {"nova_collections": lambda: [CollectionSpec(name) for name in names]}

    def protocols(name, *paths):
        return {"nova_protocols": lambda: [MountedProtocol(Ticker(name), [(path, Hello) for path in paths])]}

    def named(hook, *names):
        makers = {
            "nova_commands": lambda name: Command(name, "", "", answer),
            "nova_bots": lambda name: types.SimpleNamespace(name=name, avatar_url="", help="", reply=answer),
            "nova_message_filters": Filter,
        }
        return {hook: lambda: [makers[hook](name) for name in names]}

    for first, second, hook, clash, owner in (
        (routes("/a"), routes("/b", "/a"), "nova_routes", "/a", "plugin first"),
        (routes("/a"), routes("/b", "/b"), "nova_routes", "/b", "plugin second"),
        (routes("/a"), routes(r"/chat/([0-9]+)"), "nova_routes", r"/chat/([0-9]+)", "Nova itself"),
        (routes("/a"), routes("/healthz"), "nova_routes", "/healthz", "Nova itself"),
        (protocols("a", "/a"), routes("/a"), "nova_routes", "/a", "plugin first"),
        (routes("/a"), protocols("b", "/healthz"), "nova_protocols", "/healthz", "Nova itself"),
        (protocols("a", "/a"), protocols("b", "/a"), "nova_protocols", "/a", "plugin first"),
        (protocols("a"), protocols("a"), "nova_protocols", "a", "plugin first"),
        (protocols("a"), protocols("actions"), "nova_protocols", "actions", "Nova itself"),
        (collections("a"), collections("a"), "nova_collections", "a", "plugin first"),
        (collections("a"), collections("messages"), "nova_collections", "messages", "Nova itself"),
        (named("nova_commands", "a"), named("nova_commands", "a"), "nova_commands", "a", "plugin first"),
        (named("nova_bots", "a"), named("nova_bots", "b", "b"), "nova_bots", "b", "plugin second"),
        (*[named("nova_message_filters", "a")] * 2, "nova_message_filters", "a", "plugin first"),
    ):
        plugins = Plugins(found=[plugin("second", **second), plugin("first", **first)])
        text = refusal(start_nova, settings, plugins=plugins)
        assert text == f"plugin second: {hook} gives {clash!r}, which {owner} has already"


def test_modules_of_a_plugin_lie_in_one_folder_and_are_given_once(plugin, start_nova, settings):
    for modules, reason in (
        ([ClientModule(CLIENT, "config.js")] * 2, "gives 'config.js' twice"),
        (
            [ClientModule(CLIENT, "config.js"), ClientModule(CLIENT.parent, "client/i18n.js")],
            "gives modules of two folders",
        ),
    ):
        plugins = Plugins(found=[plugin("bad", nova_client_modules=lambda modules=modules: modules)])
        assert refusal(start_nova, settings, plugins=plugins) == f"plugin bad: nova_client_modules {reason}"


# What each hook gives


def test_every_hook_has_a_test_that_fires_it_an_example_in_the_guide_and_a_plugin_that_uses_it():
    assert len(HOOKS) >= 10
    used = {hook for info in describe_plugins(Settings()) if info.package == "nova-tornado" for hook in info.hooks}
    folder = Path(__file__).parent
    tests = "".join(path.read_text() for path in folder.glob("test_*.py"))
    of_guide = (folder.parent / "docs" / "test_plugin_guide.py").read_text()
    guide = "".join(block.text for block in blocks("docs/plugins.md", *GUIDE_LANGUAGES))
    for hook in HOOKS:
        assert re.search(rf"def test_{hook}_", tests), f"no test of this folder is called test_{hook}_…"
        assert re.search(rf"@hookimpl\ndef {hook}\(", guide), f"the guide has no example of {hook}"
        assert re.search(rf"def test_{hook}_", of_guide), f"no test of the guide is called test_{hook}_…"
        assert hook in used, f"no plugin that comes with Nova uses {hook}"


@pytest.fixture
def serve(start_nova, io_loop):
    """Starts a Nova with plugins on a port: ``nova, person = serve(plugins)``."""
    servers = []

    def start(plugins, settings=None):
        nova = start_nova(settings or Settings(bcrypt_rounds=4, rate_limits=False), plugins=plugins)
        listening, port = bind_unused_port()
        servers.append(nova.http_server())
        servers[-1].add_socket(listening)
        return nova, Person(port, "alice")

    yield start
    for server in servers:
        server.stop()
        io_loop.run_sync(server.close_all_connections)


def test_nova_routes_are_served_with_what_they_ask_for(plugin, serve, io_loop):
    given = []

    class Greeting(Hello):
        def initialize(self, greeting, **kwargs):
            super().initialize(**kwargs)
            self.greeting = greeting

        async def get(self, name):
            self.reply(f"{self.greeting}, {name} (asked by {self.user.name})")

    def nova_routes(nova):
        given.append(nova)
        return [("/hello", Hello), (r"/hello/(\w+)", Greeting, {"greeting": "Good day"})]

    nova, alice = serve(
        Plugins(found=[plugin("greeter", nova_routes=nova_routes), plugin("idle", nova_routes=lambda: None)])
    )

    async def look():
        assert (await alice.get("/hello")).status == 403  # needs a session, as everything does
        await alice.register()
        assert (await alice.get("/hello")).data == "hello"
        assert (await alice.get("/hello/bob")).data == "Good day, bob (asked by alice)"
        assert (await alice.post("/hello")).status == 405

    io_loop.run_sync(look)
    assert len(given) == 1 and given[0].services is nova.services


def test_nova_client_modules_are_served_and_named_by_the_page(plugin, serve, io_loop):
    modules = [ClientModule(CLIENT, "config.js", messages="ui"), ClientModule(CLIENT, "store/state.js")]
    _, alice = serve(Plugins(found=[plugin("looks", nova_client_modules=lambda: modules), plugin("idle")]))

    async def look():
        page = (await alice.get("/")).body.decode()
        named = json.loads(re.search(r'id="nova-config">(.*?)</script>', page)[1])["modules"]
        prefix = re.match(r"/static/[0-9a-f]+/plugins/looks/", named[0]["entry"])[0]
        assert named == [
            {"plugin": "looks", "entry": f"{prefix}config.js", "messages": f"{prefix}ui/"},
            {"plugin": "looks", "entry": f"{prefix}store/state.js", "messages": None},
        ]
        assert (await alice.get(f"{prefix}config.js")).body == (CLIENT / "config.js").read_bytes()

    io_loop.run_sync(look)


class TickerClient(ProtocolClient):
    path = "/ticker"

    def barrier(self):
        return {"barrier": 1}

    def is_barrier(self, packet):
        return packet.get("frame") == self.barrier()


def test_nova_protocols_are_spoken_where_they_are_mounted_and_told_of_events(plugin, serve, io_loop):
    ticker = Ticker()
    mounted = MountedProtocol(ticker, [("/ticker", TickerSocket)])
    _, alice = serve(Plugins(found=[plugin("ticker", nova_protocols=lambda: [mounted])]))

    async def act():
        await alice.register()
        client = await TickerClient.connect(alice.port, None, headers={"Cookie": f"sessionid={alice.cookie}"})
        assert await client.request({"a": 1}) == {"protocol": "ticker", "user": "alice", "frame": {"a": 1}}
        assert await client.request("[]") == {"error": "A frame must be a JSON object"}
        await alice.new_group(name="Tea")
        assert await client.drain() == [{"chat": "Tea"}]
        assert (await alice.post("/user/logout")).data is None
        await client.expect_close(CLOSE_SESSION_ENDED)
        client.close()

    io_loop.run_sync(act)
    assert ticker.ended == 1


def test_nova_collections_are_made_with_their_indexes_and_given_to_the_plugin(
    plugin, start_nova, settings, database, io_loop
):
    spec = CollectionSpec("sample_notes", (Index((("owner", 1), ("day", -1)), "one note a day", unique=True),))
    given = []

    def nova_subscribers(nova):
        given.append(nova)
        return []

    point = plugin("notes", nova_collections=lambda: [spec], nova_subscribers=nova_subscribers)
    nova = start_nova(settings, plugins=Plugins(found=[point]))
    try:
        indexes = database.sample_notes.index_information()
        assert indexes["owner_1_day_-1"]["unique"] is True
        [facade] = given

        async def write():
            await facade.collection(spec).insert_one({"_id": await facade.next_id("sample_note"), "owner": 1})
            return await facade.next_id("sample_note")

        assert io_loop.run_sync(write) == 2
        assert database.sample_notes.find_one() == {"_id": 1, "owner": 1}
        assert abs(facade.clock.now_us() - nova.services.clock.now_us()) < 60e6
    finally:
        database.sample_notes.drop()


def test_a_subscriber_that_names_events_is_told_of_those_alone(plugin, serve, io_loop):
    told = []

    class Listener:
        def __init__(self, *kinds):
            self.event_types = kinds

        async def on_event(self, event):
            told.append((self.event_types, type(event)))

    listeners = [Listener(events.SignedIn), Listener(events.ChatEvent, events.AccountCreated), Listener()]
    nova, alice = serve(Plugins(found=[plugin("listener", nova_subscribers=lambda: listeners)]))

    async def act():
        await alice.register()
        await alice.new_group(name="Tea")
        await nova.plugins_told()
        await alice.close()

    io_loop.run_sync(act)
    assert told == [
        (listeners[1].event_types, events.AccountCreated),
        (listeners[0].event_types, events.SignedIn),
        (listeners[1].event_types, events.ChatCreated),
        (listeners[1].event_types, events.MessageSent),
    ]


@pytest.mark.expects_log("plugin many failed")
def test_a_subscriber_of_many_is_told_at_once_of_all_that_has_happened_meanwhile(plugin, serve, io_loop, tmp_path):
    told, begun, go_on = [], asyncio.Event(), asyncio.Event()

    class One:
        event_types = (events.Notice,)

        async def on_event(self, event):
            if event.action == "hold":
                begun.set()
                await go_on.wait()

    class Many:
        event_types = (events.Notice,)

        async def on_events(self, happened):
            told.append([event.action for event in happened])
            if len(told) == 1:
                raise RuntimeError("many")

    points = [plugin("many", nova_subscribers=lambda: [Many()]), plugin("one", nova_subscribers=lambda: [One()])]
    nova, alice = serve(Plugins(found=points))

    async def act():
        nova.bus.publish(events.Notice((), "hold", None))
        await begun.wait()
        nova.bus.publish(events.Notice((), "a", None), events.Notice((), "b", None))
        nova.bus.publish(events.Notice((), "c", None))
        go_on.set()
        await nova.plugins_told()
        await alice.close()

    io_loop.run_sync(act)
    assert told == [["hold"], ["a", "b", "c"]]
    assert read_strikes(tmp_path / "nova-data") == {"many": ["Many 1 RuntimeError"]}


@pytest.mark.expects_log("plugin bad failed on Notice")
@pytest.mark.parametrize("name", ["on_event", "on_events"])
def test_a_subscriber_that_takes_no_argument_harms_nobody(plugin, serve, io_loop, tmp_path, name):
    told = []

    async def without_argument(self):
        raise AssertionError

    class Good:
        event_types = (events.Notice,)

        async def on_event(self, event):
            told.append(event.action)

    bad = type("Bad", (), {name: without_argument, "event_types": (events.Notice,)})()
    points = [plugin("bad", nova_subscribers=lambda: [bad]), plugin("good", nova_subscribers=lambda: [Good()])]
    nova, alice = serve(Plugins(found=points))

    async def act():
        for action in ("a", "b"):
            nova.bus.publish(events.Notice((), action, None))
            await nova.plugins_told()
        await alice.close()

    io_loop.run_sync(act)
    assert told == ["a", "b"]
    assert read_strikes(tmp_path / "nova-data") == {"bad": ["Bad 2 TypeError"]}


def test_nova_subscribers_are_told_of_everything_in_order_after_it_is_stored(plugin, serve, io_loop, database):
    told = []

    class Listener:
        async def on_event(self, event):
            if isinstance(event, events.MessageSent):
                assert database.messages.find_one({"_id": event.message.id})["text"] == event.message.text
                told.append(event.message.text)
            else:
                told.append(type(event).__name__)

    nova, alice = serve(Plugins(found=[plugin("listener", nova_subscribers=lambda: [Listener()])]))

    async def act():
        await alice.register()
        chat_id = await alice.new_group(name="Tea")
        socket = await alice.socket()
        for text in ("1", "2"):
            await socket.send("send_message", {"chat_id": chat_id, "content": text})
            await socket.expect("new_message", "messages_read")
        assert (await alice.delete(f"/chat/{chat_id}")).data is None
        await nova.plugins_told()
        await alice.close()

    io_loop.run_sync(act)
    assert (
        told
        == [
            *("AccountCreated", "SignedIn", "ChatCreated", "Group Tea created by alice with alice", "1", "2"),
            *("ChatDeleted", "OnlineChanged"),
        ][: len(told)]
    )
    assert told[-1] in ("ChatDeleted", "OnlineChanged")  # gathered for a second, so it may come later


@pytest.mark.expects_log("plugin bad failed on ChatCreated", "plugin slow failed on ChatCreated")
def test_a_subscriber_that_raises_or_hangs_harms_nobody(plugin, serve, io_loop, monkeypatch, tmp_path):
    monkeypatch.setattr(dispatch, "SUBSCRIBER_TIMEOUT_S", 0.05)
    told = []

    class Subscriber:
        def __init__(self, fault=None):
            self.fault = fault

        async def on_event(self, event):
            if not isinstance(event, events.ChatCreated):
                return
            told.append(self.fault)
            if self.fault == "raise":
                raise RuntimeError("subscriber")
            if self.fault == "hang":
                await io_loop.asyncio_loop.create_future()

    points = [
        plugin("bad", nova_subscribers=lambda: [Subscriber("raise")]),
        plugin("good", nova_subscribers=lambda: [Subscriber()]),
        plugin("slow", nova_subscribers=lambda: [Subscriber("hang")]),
        plugin("zeta", nova_subscribers=lambda: [Subscriber()]),
    ]
    nova, alice = serve(Plugins(found=points))

    async def act():
        await alice.register()
        socket = await alice.socket()
        for _ in range(2):
            await alice.new_group()
            await socket.expect("new_group_chat", "new_message")
        await nova.plugins_told()
        await alice.close()

    io_loop.run_sync(act)
    assert told == ["raise", None, "hang", None] * 2
    assert read_strikes(tmp_path / "nova-data") == {
        "bad": ["Subscriber 2 RuntimeError"],
        "slow": ["Subscriber 2 TimeoutError"],
    }


@pytest.mark.expects_log("internal error")
def test_a_route_that_raises_is_answered_with_500_and_harms_nobody(plugin, serve, io_loop):
    class Broken(ActionsHandler):
        async def get(self):
            raise RuntimeError("handler")

    _, alice = serve(Plugins(found=[plugin("bad", nova_routes=lambda: [("/broken", Broken)])]))

    async def look():
        await alice.register()
        assert (await alice.get("/broken")).status == 500
        assert (await alice.get("/user")).status == 200

    io_loop.run_sync(look)


def given(**values):
    """Settings of the plugin "sample" as an operator has set them."""
    return {"sample": {name: GivenValue(value, f"nova.toml: sample.{name}") for name, value in values.items()}}


def whole_number(value):
    if not str(value).isdecimal():
        raise ValueError("is not a whole number")
    return int(value)


def test_nova_settings_are_checked_and_given_to_the_plugin(plugin, start_nova):
    facades = []

    def nova_subscribers(nova):
        facades.append(nova)
        return []

    options = [
        PluginOption("url", "http://localhost"),
        PluginOption("count", 3, parse=whole_number),
        PluginOption("key", "", is_secret=True, parse=whole_number),
        PluginOption("pin", 0, is_secret=True, parse=int),
        PluginOption("odd", 0, parse=lambda value: value["no such key"]),
    ]
    points = [
        plugin("sample", nova_settings=lambda: options, nova_subscribers=nova_subscribers),
        plugin("other", nova_subscribers=nova_subscribers),
    ]

    def start(**values):
        facades.clear()
        start_nova(Settings(bcrypt_rounds=4, of_plugins=given(**values)), plugins=Plugins(found=points))
        other, sample = facades
        assert other.settings == {}
        return sample.settings

    assert start() == {"url": "http://localhost", "count": 3, "key": "", "pin": 0, "odd": 0}
    read = start(url="https://example.org", count="7", key=12)
    assert (read["url"], read["count"], read["key"]) == ("https://example.org", 7, 12)
    with pytest.raises(TypeError):
        read["url"] = "elsewhere"
    for name, value, line in (
        ("url", 5, "nova.toml: sample.url: 5 is not text in quotes"),
        ("count", "many", "nova.toml: sample.count: 'many' is not a whole number"),
        ("key", "hidden", "nova.toml: sample.key: the value is not a whole number"),
        ("pin", "hidden", "nova.toml: sample.pin: the value cannot be used"),
        ("odd", 5, "nova.toml: sample.odd: plugin sample cannot check it: TypeError"),
        ("colour", "red", "nova.toml: sample.colour: plugin sample has no setting 'colour'"),
    ):
        assert refusal(start, **{name: value}) == line
    twice = plugin("sample", nova_settings=lambda: [PluginOption("a", 1), PluginOption("a", 2)])
    text = refusal(start_nova, Settings(), plugins=Plugins(found=[twice]))
    assert text == "plugin sample: nova_settings gives 'a' twice"


def test_settings_of_a_plugin_that_is_off_are_left_alone(plugin, start_nova):
    points = [plugin("sample", value="no_such_module")]
    settings = Settings(bcrypt_rounds=4, of_plugins=given(whatever=1))
    assert start_nova(settings, plugins=Plugins(("sample",), points)).ready


class FilteredChat:
    """A chat of alice's in a Nova with filters."""

    def __init__(self, alice):
        self.alice = alice

    async def open(self):
        await self.alice.register()
        self.chat_id = await self.alice.new_group()
        self.socket = await self.alice.socket()
        return self

    async def say(self, text):
        """Send a text; returns the stored message."""
        await self.socket.send("send_message", {"chat_id": self.chat_id, "content": text})
        news, _ = await self.socket.expect("new_message", "messages_read")
        return news["message"]

    async def say_in_vain(self, text):
        """Send a text that is refused; returns the reason."""
        await self.socket.send("send_message", {"chat_id": self.chat_id, "content": text})
        return await self.socket.expect_error()

    async def edit(self, message, text):
        await self.socket.send("edit_message", {"message_id": message["message_id"], "content": text})

    async def texts(self):
        """What is stored, newest first, without what Nova says itself."""
        messages = (await self.alice.get(f"/chat/{self.chat_id}/messages")).data
        return [message["message"] for message in messages if message["sender"]["id"] == self.alice.id]


@pytest.fixture
def filtered(plugin, serve, io_loop):
    """Runs a test with filters: ``filtered(test, *filters)``, each of a plugin ``p1``, ``p2`` …; closed afterwards."""

    def run(test, *given_filters):
        points = [
            plugin(f"p{number}", nova_message_filters=lambda each=each: [each])
            for number, each in enumerate(given_filters, 1)
        ]
        _, alice = serve(Plugins(found=points[::-1]))

        async def act():
            chat = await FilteredChat(alice).open()
            await test(chat)
            await alice.close()

        io_loop.run_sync(act)

    return run


def test_nova_message_filters_let_pass_rewrite_and_refuse_in_the_order_of_the_plugins(filtered):
    def censor(message):
        if "curse" in message.text:
            raise errors.MessageRefused("No curses")
        return message.text.replace("cat", "dog")

    first, second = Filter("first", censor), Filter("second", lambda message: None)
    idle = Filter("idle", "never", concerns=lambda chat, sender: False)

    async def test(chat):
        assert (await chat.say("a cat"))["message"] == "a dog"
        message = await chat.say("hello")
        assert await chat.say_in_vain("curse") == "No curses"
        assert [(asked.text, asked.is_edit) for asked in second.asked] == [("a dog", False), ("hello", False)]
        assert first.asked[0].text == "a cat" and first.asked[0].sender.name == "alice"
        assert first.asked[0].chat.id == chat.chat_id
        await chat.edit(message, "two cats")
        [edited] = await chat.socket.expect("message_edited")
        assert second.asked[-1].text == "two dogs" and second.asked[-1].is_edit
        assert await chat.texts() == ["two dogs", "a dog"]
        await chat.edit(message, "curse")
        assert await chat.socket.expect_error() == "No curses"
        await chat.socket.expect_nothing()
        assert await chat.texts() == ["two dogs", "a dog"] and edited

    filtered(test, first, second, idle)
    assert idle.asked == []


FAULTS = {
    "raises": lambda message: 1 / 0,
    "rewrites to nothing": "",
    "rewrites to something too long": "x" * 200_000,
    "rewrites to no text": 5,
    "refuses for another reason": lambda message: (_ for _ in ()).throw(errors.NoRight),
}


@pytest.mark.expects_log("of plugin p1 failed", "filter sample of plugin p1 is switched off until the next start")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("fails_open", [True, False])
def test_a_filter_that_fails_is_handled_as_it_declares_and_is_off_after_three_strikes(
    filtered, tmp_path, fault, fails_open
):
    bad, good = Filter("sample", FAULTS[fault], fails_open=fails_open), Filter("good", lambda message: None)

    async def test(chat):
        for _ in range(3):
            if fails_open:
                assert (await chat.say("hello"))["message"] == "hello"
            else:
                assert "cannot be checked" in await chat.say_in_vain("hello")
        assert (await chat.say("hello"))["message"] == "hello"

    filtered(test, bad, good)
    assert len(bad.asked) == 3 and len(good.asked) == (4 if fails_open else 1)
    [[line]] = read_strikes(tmp_path / "nova-data").values()
    assert re.fullmatch(r"sample 3 \w+ \(off\)", line)


@pytest.mark.expects_log("filter sample of plugin p1 failed", "is switched off")
@pytest.mark.parametrize("fails_open", [True, False])
def test_a_filter_that_does_not_know_whom_it_concerns_has_failed(filtered, fails_open):
    def concerns(chat, sender):
        counted.append(chat)
        raise RuntimeError("filter")

    counted = []
    bad = Filter("sample", fails_open=fails_open, concerns=concerns)

    async def test(chat):
        outcomes = []
        for _ in range(4):
            await chat.socket.send("send_message", {"chat_id": chat.chat_id, "content": "hello"})
            outcomes.append((await chat.socket.receive())["action"])
            if outcomes[-1] == "new_message":
                await chat.socket.expect("messages_read")
        assert outcomes == ["new_message" if fails_open else "error"] * 3 + ["new_message"]

    filtered(test, bad)
    assert bad.asked == []


@pytest.mark.expects_log("filter sample of plugin p1 failed")
@pytest.mark.parametrize("fails_open", [True, False])
def test_a_filter_that_hangs_holds_a_message_up_for_its_time_limit_only(filtered, monkeypatch, fails_open):
    monkeypatch.setattr(filters, "FILTER_TIMEOUT_S", 0.05)

    class Hanging(Filter):
        async def check(self, message):
            await asyncio.get_running_loop().create_future()

    async def test(chat):
        if fails_open:
            assert (await chat.say("hello"))["message"] == "hello"
        else:
            assert "cannot be checked" in await chat.say_in_vain("hello")
        await chat.socket.expect_nothing()

    filtered(test, Hanging("sample", fails_open=fails_open))


def test_nova_bots_and_nova_commands_are_offered_to_all_plugins(plugin, start_nova, settings):
    seen = {}

    def listing(plugin_name):
        @asynccontextmanager
        async def life(nova):
            seen[plugin_name] = [bot.name for bot in nova.bots], [command.name for command in nova.commands]
            yield

        return lambda nova: [life(nova)]

    def bots(name):
        return lambda nova: [types.SimpleNamespace(name=name, avatar_url="", help="", reply=answer)]

    points = [
        plugin("b", nova_bots=bots("bee"), nova_commands=lambda: [Command("buzz", "", "", answer)]),
        plugin("a", nova_bots=bots("ant"), nova_lifespan=listing("a")),
        plugin("c", nova_lifespan=listing("c")),
    ]
    start_nova(settings, plugins=Plugins(found=points))
    assert seen == dict.fromkeys("ac", (["ant", "bee"], ["buzz"]))


def test_nova_bots_are_collected(plugin):
    bot = types.SimpleNamespace(name="ant", avatar_url="", help="", reply=answer)
    assert Plugins(found=[plugin("a", nova_bots=lambda: [bot])]).collect_named("nova_bots") == [("a", bot)]


def test_nova_commands_are_collected(plugin):
    command = Command("buzz", "", "", answer)
    assert Plugins(found=[plugin("a", nova_commands=lambda: [command])]).collect_named("nova_commands") == [
        ("a", command)
    ]


@pytest.fixture
def run_command_line(monkeypatch):
    """Runs ``nova …`` with plugins as the installed ones; returns its result."""

    def run(points, *arguments):
        monkeypatch.setattr(loader, "_found", lambda: points)
        return CliRunner().invoke(command_line, arguments, standalone_mode=False)

    return run


def test_nova_cli_adds_commands_which_are_loaded_where_they_are_meant(plugin, run_command_line):
    @click.command("greet")
    @click.argument("name")
    def greet(name):
        """Greet somebody."""
        click.echo(f"hello {name}")

    loaded = []

    def nova_cli():
        loaded.append(1)
        return [greet]

    points = [plugin("greeter", nova_cli=nova_cli)]
    assert run_command_line(points, "greet", "alice").output == "hello alice\n"
    listed = run_command_line(points, "--help").output
    assert "greet " in listed and "Greet somebody." in listed and "serve " in listed
    assert len(loaded) == 2
    assert run_command_line(points, "plugin", "--help").exit_code == 0
    assert run_command_line(points, "--version").exit_code == 0
    assert len(loaded) == 2
    unknown = run_command_line(points, "greeet")
    assert isinstance(unknown.exception, click.UsageError) and "greeet" in unknown.exception.format_message()


def test_commands_of_plugins_that_cannot_be_had_are_one_line(plugin, run_command_line):
    def command(name):
        return click.Command(name)

    for functions, line in (
        ({"value": "no_such_module"}, "plugin bad: cannot be loaded: No module named 'no_such_module'"),
        ({"nova_cli": lambda: 1 / 0}, "plugin bad: nova_cli failed: division by zero"),
        ({"nova_cli": lambda: [5]}, "plugin bad: nova_cli failed: "),
        ({"nova_cli": lambda: [command("serve")]}, "plugin bad: nova_cli gives 'serve', which Nova itself has already"),
        ({"nova_cli": lambda: [command("x")]}, "plugin bad: nova_cli gives 'x', which plugin a has already"),
    ):
        points = [plugin("a", nova_cli=lambda: [command("x")]), plugin("bad", **functions)]
        failed = run_command_line(points, "x")
        assert isinstance(failed.exception, click.ClickException)
        assert failed.exception.format_message().startswith(line), failed.exception
        helped = run_command_line(points, "--help")
        assert helped.exit_code == 0 and "serve " in helped.output and line in helped.output


def lifespan(told, name, *, on_begin=None, on_end=None, wait=None):
    """A lifespan that tells of its beginning and its end, and may fail there."""

    @asynccontextmanager
    async def live():
        told.append(f"{name} begins")
        if on_begin:
            raise on_begin
        if wait == "begin":
            await asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as tasks:  # must be left by the task that entered it
            tasks.create_task(asyncio.sleep(0))
            yield
            if wait == "end":
                await asyncio.get_running_loop().create_future()
        told.append(f"{name} ends")
        if on_end:
            raise on_end

    return live()


def test_nova_lifespan_is_entered_before_anything_is_served_and_left_when_the_server_stops(
    plugin, serve, io_loop, start_nova
):
    told = []
    readiness = []

    @asynccontextmanager
    async def watching(nova):
        readiness.append(nova.services.accounts is not None)
        yield

    points = [
        plugin("a", nova_lifespan=lambda: [lifespan(told, "a1"), lifespan(told, "a2")]),
        plugin("b", nova_lifespan=lambda nova: [lifespan(told, "b"), watching(nova)]),
    ]
    nova, alice = serve(Plugins(found=points))
    begun = ["a1 begins", "a2 begins", "b begins"]
    assert told == begun and readiness == [True] and nova.ready
    io_loop.run_sync(alice.register)
    io_loop.run_sync(lambda: nova.drain(1.0))
    assert told == [*begun, "b ends", "a2 ends", "a1 ends"]
    io_loop.run_sync(nova.close)
    assert len(told) == 6


@pytest.mark.expects_log("plugin bad cannot begin")
def test_a_lifespan_that_cannot_begin_stops_the_start_and_ends_the_others(plugin, start_nova, settings):
    told = []
    points = [
        plugin("a", nova_lifespan=lambda: [lifespan(told, "a")]),
        plugin("bad", nova_lifespan=lambda: [lifespan(told, "bad", on_begin=RuntimeError("secret"))]),
        plugin("c", nova_lifespan=lambda: [lifespan(told, "c")]),
    ]
    text = refusal(start_nova, settings, plugins=Plugins(found=points))
    assert text == "plugin bad: nova_lifespan failed: RuntimeError"
    assert told == ["a begins", "bad begins", "a ends"]


def test_a_lifespan_that_does_not_begin_in_time_stops_the_start(plugin, start_nova, settings, monkeypatch):
    monkeypatch.setattr(lifespans, "BEGIN_TIMEOUT_S", 0.05)
    points = [plugin("bad", nova_lifespan=lambda: [lifespan([], "bad", wait="begin")])]
    text = refusal(start_nova, settings, plugins=Plugins(found=points))
    assert text.startswith("plugin bad: nova_lifespan failed: took more than ")


@pytest.mark.expects_log("plugin bad: its lifespan could not end", "plugin slow did not end in time")
def test_a_lifespan_that_fails_to_end_is_logged_and_harms_nobody(plugin, start_nova, settings, io_loop, monkeypatch):
    monkeypatch.setattr(lifespans, "END_TIMEOUT_S", 0.1)
    told = []
    points = [
        plugin("a", nova_lifespan=lambda: [lifespan(told, "a")]),
        plugin("bad", nova_lifespan=lambda: [lifespan(told, "bad", on_end=RuntimeError("lifespan"))]),
        plugin("good", nova_lifespan=lambda: [lifespan(told, "good")]),
    ]
    slow = plugin("slow", nova_lifespan=lambda: [lifespan(told, "slow", wait="end")])
    nova = start_nova(settings, plugins=Plugins(found=points))
    io_loop.run_sync(nova.close)
    assert told[3:] == ["good ends", "bad ends", "a ends"]
    nova = start_nova(settings, plugins=Plugins(found=[slow]))
    io_loop.run_sync(nova.close)


@pytest.mark.expects_log("plugin bad: its lifespan could not go on")
def test_a_lifespan_whose_work_fails_is_logged_and_harms_nobody(plugin, serve, io_loop):
    go, ended = asyncio.Event(), asyncio.Event()

    async def work():
        await go.wait()
        raise RuntimeError("work")

    @asynccontextmanager
    async def live():
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(work())
                yield
        finally:
            ended.set()

    _, alice = serve(Plugins(found=[plugin("bad", nova_lifespan=lambda: [live()])]))

    async def act():
        go.set()
        await ended.wait()
        await alice.register()
        assert (await alice.get("/user")).status == 200

    io_loop.run_sync(act)


def test_hooks_are_called_in_the_order_of_the_plugins_names(plugin):
    points = [plugin(name, nova_collections=lambda name=name: [CollectionSpec(name)]) for name in ("b", "c", "a")]
    assert [name for name, _ in Plugins(found=points).call("nova_collections")] == ["a", "b", "c"]
    assert [name for name, _ in Plugins(off=("b",), found=points).call("nova_collections")] == ["a", "c"]


# Off


def test_the_installed_plugins_are_described_with_their_hooks_and_their_state():
    infos = {info.name: info for info in describe_plugins(Settings(plugins_off=("nova_message_filters",)))}
    assert set(OWN) <= infos.keys()
    on, off = infos["nova_chat_invitations"], infos["nova_message_filters"]
    hooks = ("nova_client_modules", "nova_collections", "nova_routes", "nova_subscribers")
    assert (on.state, on.hooks) == ("on", hooks)
    assert (off.state, off.hooks) == ("off", ())
    assert on.package == off.package == "nova-tornado" and on.version == off.version != ""
    assert list(infos) == sorted(infos)


def test_a_plugin_that_is_off_is_not_even_imported(plugin):
    infos = Plugins(off=("bad",), found=[plugin("bad", value="no_such_module"), plugin("good")]).infos
    assert [(info.name, info.state) for info in infos] == [("bad", "off"), ("good", "on")]


class TestOff:
    @pytest.fixture
    def settings(self):
        return Settings(bcrypt_rounds=4, rate_limits=False, plugins_off=OWN)

    @pytest.mark.gen_test
    async def test_without_plugins_their_endpoints_are_not_there_and_everything_else_works(self, people):
        alice, bob = await people("alice"), await people("bob")
        private_id = await alice.befriend(bob)
        sockets = [await alice.socket(), await bob.socket()]
        chat_id = await alice.new_group(bob)
        for socket in sockets:
            await socket.expect("new_group_chat", "new_message")
        for method, path, body in (
            ("POST", "invite", {"user_id": bob.id}),
            ("GET", "invitation", None),
            ("POST", f"invitation/{bob.id}", {}),
            ("DELETE", f"invitation/{bob.id}", None),
            ("POST", "filter", {"begin_time": 0}),
            ("OPTIONS", "filter", None),
        ):
            more = {} if body is None else {"json_body": body}
            answer = await alice.request(method, f"/chat/{chat_id}/{path}", **more)
            assert (answer.status, answer.error) == (404, f"/chat/{chat_id}/{path} not found on this server")
            assert answer.headers["Content-Type"] == "application/json"
        await sockets[0].send("send_message", {"chat_id": chat_id, "content": "hello"})
        for socket in sockets:
            news, _ = await socket.expect("new_message", "messages_read")
        await sockets[1].send("recall_message", {"message_id": news["message"]["message_id"], "delete": True})
        await sockets[1].expect("message_deleted")
        assert len((await bob.get(f"/chat/{private_id}/messages")).data) == 1
        assert (await alice.post(f"/chat/{chat_id}/{bob.id}/admin", True)).data is None
        assert (await bob.delete(f"/chat/{chat_id}")).data is None
        assert (await alice.delete(f"/friend/{bob.id}")).data is None
        assert (await bob.delete("/user")).data is None
