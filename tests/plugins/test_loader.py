"""Finding, checking and calling plugins. Source: DESIGN, section 6."""

import re
import sys
import types
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from clients.base import ProtocolClient
from people import Person
from tornado.testing import bind_unused_port

from nova_tornado.api import (
    ActionsHandler,
    CollectionSpec,
    Index,
    JsonSocket,
    MountedProtocol,
    Packet,
    SignedInSocket,
    WireProtocol,
    dumps,
    events,
    hookimpl,
)
from nova_tornado.app import StartError, describe_plugins
from nova_tornado.plugin import dispatch, hookspecs
from nova_tornado.plugin.loader import PluginError, Plugins
from nova_tornado.realtime.connection import CLOSE_SESSION_ENDED
from nova_tornado.settings import Settings

OWN = (
    *("nova_chat_invitations", "nova_message_filters"),
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


@pytest.mark.parametrize("hook", ["nova_collections", "nova_routes", "nova_protocols", "nova_subscribers"])
def test_a_hook_that_raises_or_returns_no_list_stops_the_start(plugin, start_nova, settings, hook):
    def raising():
        raise ValueError("went\nwrong")

    for function, part in ((raising, "went wrong"), (lambda: 5, "int")):
        plugins = Plugins(found=[plugin("good"), plugin("bad", **{hook: function})])
        text = refusal(start_nova, settings, plugins=plugins)
        assert text.startswith(f"plugin bad: {hook} ") and part in text, text


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
    "nova_subscribers": [None, object(), types.SimpleNamespace(on_event=lambda event: None)],
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
    ):
        plugins = Plugins(found=[plugin("second", **second), plugin("first", **first)])
        text = refusal(start_nova, settings, plugins=plugins)
        assert text == f"plugin second: {hook} gives {clash!r}, which {owner} has already"


# What each hook gives


def test_every_hook_has_a_test_that_fires_it():
    hooks = [name for name in vars(hookspecs) if name.startswith("nova_")]
    assert len(hooks) >= 3
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for hook in hooks:
        assert re.search(rf"def test_{hook}_", tests), f"no test of this folder is called test_{hook}_…"


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
        await nova._dispatcher.drained()
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
def test_a_subscriber_that_raises_or_hangs_harms_nobody(plugin, serve, io_loop, monkeypatch):
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
        await nova._dispatcher.drained()
        await alice.close()

    io_loop.run_sync(act)
    assert told == ["raise", None, "hang", None] * 2


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


def test_hooks_are_called_in_the_order_of_the_plugins_names(plugin):
    points = [plugin(name, nova_collections=lambda name=name: [CollectionSpec(name)]) for name in ("b", "c", "a")]
    assert [name for name, _ in Plugins(found=points).call("nova_collections")] == ["a", "b", "c"]
    assert [name for name, _ in Plugins(off=("b",), found=points).call("nova_collections")] == ["a", "c"]


# Off


def test_the_installed_plugins_are_described_with_their_hooks_and_their_state():
    infos = {info.name: info for info in describe_plugins(Settings(plugins_off=("nova_message_filters",)))}
    assert set(OWN) <= infos.keys()
    on, off = infos["nova_chat_invitations"], infos["nova_message_filters"]
    assert (on.state, on.hooks) == ("on", ("nova_collections", "nova_routes", "nova_subscribers"))
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
