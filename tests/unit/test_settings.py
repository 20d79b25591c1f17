import dataclasses
import types
from pathlib import Path

import pytest

from nova_tornado import settings as settings_module
from nova_tornado.settings import OPTIONS, GivenValue, Settings, SettingsError, database_of, load


def refusal(flags=None, environ=None, folder=Path("/somewhere")):
    with pytest.raises(SettingsError) as caught:
        load(flags or {}, environ or {}, folder)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_nothing_given_means_the_defaults(tmp_path):
    assert load({}, {}, tmp_path) == dataclasses.replace(Settings(), data=tmp_path / "nova-data")


def test_every_setting_is_an_option():
    fields = [field.name for field in dataclasses.fields(Settings)]
    assert fields == [*(option.name for option in OPTIONS), "of_plugins"]


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path):
    (tmp_path / "nova.toml").write_text('host = "a"\nport = 1\nbcrypt_rounds = 5\n')
    settings = load({"host": "c"}, {"NOVA_HOST": "b", "NOVA_PORT": "2"}, tmp_path)
    assert (settings.host, settings.port, settings.bcrypt_rounds) == ("c", 2, 5)


def test_all_settings_can_stand_in_the_file(tmp_path):
    (tmp_path / "nova.toml").write_text(
        'host = "::1"\nport = 0\ndata = "d"\nmongo = "mongodb://a,b:2/x?w=1"\nworkers = 1\n'
        'base_url = "https://Chat.Example/nova/"\nmail_dir = "m"\nmail_from = "no-reply@mail.example"\n'
        "file_max_mib = 100\nbcrypt_rounds = 4\nrate_limits = false\n"
        'allow_origin = ["https://a.example", "http://b.example:8080"]\n'
        'trusted_proxies = ["127.0.0.1", "10.1.2.3/8"]\nplugins_off = ["nova_message_filters"]\n'
    )
    assert load({}, {}, tmp_path) == Settings(
        host="::1",
        port=0,
        data=tmp_path / "d",
        mongo="mongodb://a,b:2/x?w=1",
        base_url="https://chat.example/nova",
        mail_dir=tmp_path / "m",
        mail_from="no-reply@mail.example",
        file_max_mib=100,
        bcrypt_rounds=4,
        rate_limits=False,
        allow_origin=("https://a.example", "http://b.example:8080"),
        trusted_proxies=("127.0.0.1/32", "10.0.0.0/8"),
        plugins_off=("nova_message_filters",),
    )


def test_all_settings_can_be_variables(tmp_path):
    environ = {
        "NOVA_HOST": "localhost",
        "NOVA_PORT": "8001",
        "NOVA_DATA": "/srv/nova",
        "NOVA_WORKERS": "1",
        "NOVA_BASE_URL": "http://localhost:1/",
        "NOVA_SMTP": "smtps://me:secret@mail.example:465",
        "NOVA_MAIL_FROM": "nova@localhost",
        "NOVA_FILE_MAX_MIB": "1",
        "NOVA_RATE_LIMITS": "off",
        "NOVA_ALLOW_ORIGIN": "https://a.example, https://b.example",
        "NOVA_PLUGINS_OFF": "one,two",
    }
    assert load({}, environ, tmp_path) == Settings(
        host="localhost",
        port=8001,
        data=Path("/srv/nova"),
        base_url="http://localhost:1",
        smtp="smtps://me:secret@mail.example:465",
        mail_from="nova@localhost",
        file_max_mib=1,
        rate_limits=False,
        allow_origin=("https://a.example", "https://b.example"),
        plugins_off=("one", "two"),
    )


def test_an_empty_variable_counts_as_not_set(tmp_path):
    assert load({}, {"NOVA_REDIS": "", "NOVA_PORT": " "}, tmp_path).port == 8000


def test_an_empty_repeated_flag_does_not_hide_the_variable(tmp_path):
    assert load({"plugins_off": ()}, {"NOVA_PLUGINS_OFF": "one"}, tmp_path).plugins_off == ("one",)


def test_paths_begin_where_they_are_named(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "my.toml").write_text('data = "d"\n')
    settings = load({"config": "etc/my.toml", "mail_dir": "m"}, {}, tmp_path)
    assert settings.data == tmp_path / "etc" / "d"
    assert settings.mail_dir == tmp_path / "m"


def test_the_settings_file_may_be_named_by_a_variable(tmp_path):
    (tmp_path / "my.toml").write_text("port = 9\n")
    assert load({}, {"NOVA_CONFIG": "my.toml"}, tmp_path).port == 9


def test_a_named_settings_file_must_exist():
    assert refusal({"config": "my.toml"}) == "my.toml: there is no such file"


def test_an_unknown_key_is_refused_with_the_nearest_one(tmp_path):
    (tmp_path / "nova.toml").write_text("prot = 1\n")
    assert refusal(folder=tmp_path) == "nova.toml: unknown key 'prot' (did you mean port?)"


def test_an_unknown_section_is_refused(tmp_path):
    (tmp_path / "nova.toml").write_text("[server]\nport = 1\n")
    assert "unknown key 'server'" in refusal(folder=tmp_path)


@pytest.mark.parametrize("content", [b"port = ", b"port = 1\nport = 2", b"\xff\xfe"])
def test_a_broken_file_is_one_clear_line(tmp_path, content):
    (tmp_path / "nova.toml").write_bytes(content)
    assert refusal(folder=tmp_path).startswith("nova.toml: is not valid TOML: ")


def test_a_folder_is_no_settings_file(tmp_path):
    (tmp_path / "nova.toml").mkdir()
    assert "cannot be read" in refusal(folder=tmp_path)


def test_an_unknown_variable_is_refused_with_the_nearest_one():
    assert refusal({}, {"NOVA_PROT": "1"}) == "unknown environment variable NOVA_PROT (did you mean NOVA_PORT?)"


def test_variables_of_the_set_up_and_of_the_tests_are_left_alone(tmp_path):
    environ = dict.fromkeys(("NOVA_PYTHON", "NOVA_VENV", "NOVA_MONGOD", "NOVA_CHROMIUM", "NOVA_TEST_BROWSER"), "x")
    assert load({}, environ | {"NOVAK": "x"}, tmp_path).port == 8000


def test_a_message_names_where_the_value_stands(tmp_path):
    (tmp_path / "nova.toml").write_text("port = 99999\n")
    reason = "is not a whole number from 0 to 65535"
    assert refusal(folder=tmp_path) == f"nova.toml: port: 99999 {reason}"
    assert refusal({}, {"NOVA_PORT": "x"}) == f"NOVA_PORT: 'x' {reason}"
    assert refusal({"port": "-1"}) == f"--port: '-1' {reason}"


BAD = [
    *[("port", value) for value in ("", "x", "-1", "65536", "1.5", "1_0", True, 1.5, [], "9" * 5000)],
    *[("bcrypt_rounds", value) for value in ("3", "32", 3, [])],
    *[("workers", value) for value in ("0", "65", "x", 65, False)],
    *[("host", value) for value in ("a b", "http://x", "a/b", "x:1", 1, "a\nb")],
    *[("mongo", value) for value in ("x", "http://x", "mongodb://", "mongodb:///x", "mongodb://h/a.b", "mongodb://[x")],
    *[
        ("redis", value)
        for value in ("x", "http://x", "redis://", "redis://h:x", "redis://h/x", "unix://x", "unix:/x", 1)
    ],
    *[
        ("base_url", value)
        for value in ("x", "ftp://x", "http://", "http://x?a", "http://x/#a", "http://a@b", "http://x:y")
    ],
    *[("smtp", value) for value in ("x", "http://x", "smtp://", "smtp://x/y", "smtp://x?y", "smtp://x:99999")],
    *[
        ("mail_from", value)
        for value in ("x", "a@", "@b.cd", "a b@c.de", "Nova <a@b.cd>", "a@b.cd\nBcc: x@y.z", "ü@b.cd", 1)
    ],
    *[("file_max_mib", value) for value in ("0", "1025", "-1", "1.5", 0, True, "25 MiB")],
    *[("rate_limits", value) for value in ("maybe", "2", 1, [])],
    *[
        ("allow_origin", value)
        for value in ("x", "null", "*", "http://x/", "http://x/y", "https://u@x", "ws://x", 1, [1])
    ],
    *[("trusted_proxies", value) for value in ("x", "1.2.3", "1.2.3.4/33", 1, [1])],
    *[(name, value) for name in ("tls_cert", "tls_key") for value in ("not-there.pem", "/", "", 1)],
    *[("plugins_off", value) for value in ("a/b", [1], 1, {"a": 1})],
    *[("data", value) for value in ("", 1, "a\0b")],
    *[("mail_dir", value) for value in ("~nobody-of-that-name/x", 1)],
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_refused(name, value):
    flags = {option.name: option.flag for option in OPTIONS}
    assert refusal({name: value}).startswith(f"{flags[name]}: ")


@pytest.mark.parametrize("value", ["redis://h", "rediss://u:p@h:6380/3", "unix:///run/redis.sock?db=1"])
def test_a_redis_is_a_uri_of_three_kinds(tmp_path, value):
    assert load({"redis": value}, {}, tmp_path).redis == value


@pytest.mark.parametrize("name", ["tls_cert", "tls_key"])
def test_a_certificate_without_a_key_is_refused_and_a_key_without_a_certificate(tmp_path, name):
    (tmp_path / "some.pem").write_text("x")
    assert refusal({name: "some.pem"}, folder=tmp_path) == (
        "tls_cert and tls_key go together: set both of them, or neither"
    )


def test_files_that_hold_no_certificate_and_key_are_refused_in_one_line(tmp_path):
    (tmp_path / "some.pem").write_text("x")
    said = refusal({"tls_cert": "some.pem", "tls_key": "some.pem"}, folder=tmp_path)
    assert said.startswith("tls_cert and tls_key cannot be used together: ") and "\n" not in said


@pytest.mark.parametrize("name", ["mongo", "smtp", "redis"])
def test_a_value_that_may_hold_a_password_is_not_repeated(name):
    assert "secret" not in refusal({name: "htp://me:secret@host"})


@pytest.mark.parametrize(
    ("given", "links"),
    [
        ({"base_url": "https://chat.example/nova"}, "https://chat.example/nova"),
        ({"host": "chat.example", "port": 80}, "http://chat.example:80"),
        ({"host": "::1"}, "http://[::1]:8000"),
        ({"tls_cert": "cert.pem", "tls_key": "key.pem"}, "https://127.0.0.1:8000"),
    ],
)
def test_links_begin_with_the_base_url_or_with_host_and_port(given, links):
    assert Settings(**given).links_base_url == links


def test_mails_go_to_one_place():
    assert "leave one of them out" in refusal({"smtp": "smtp://localhost", "mail_dir": "m"})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://a.example:443", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("http://[::1]:81",) * 2,
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(tmp_path, given, kept):
    assert load({"allow_origin": (given,)}, {}, tmp_path).allow_origin == (kept,)


def test_a_list_names_its_bad_item():
    text = refusal({"allow_origin": ("http://a.example", "b")})
    assert "'b', which does not begin with http:// or https:// and a host" in text


def test_a_host_may_stand_in_brackets(tmp_path):
    assert load({"host": "[::1]"}, {}, tmp_path).host == "::1"


@pytest.mark.parametrize(
    ("uri", "database"),
    [
        ("mongodb://localhost", "nova"),
        ("mongodb://localhost/", "nova"),
        ("mongodb://a,b:27018/chat?replicaSet=x", "chat"),
        ("mongodb://u:p%2F@%2Ftmp%2Fmongodb-27017.sock/my%20db", "my db"),
        ("mongodb://localhost/?directConnection=true", "nova"),
        ("mongodb+srv://cluster.example/x", "x"),
    ],
)
def test_the_database_is_the_one_that_the_uri_names(uri, database):
    assert database_of(uri) == database


# Settings of plugins


@pytest.fixture
def installed(monkeypatch):
    """Two plugins, the name of one of which begins the other's."""
    names = ["nova_bot_chat", "nova_bot"]
    points = [types.SimpleNamespace(name=name) for name in names]
    monkeypatch.setattr(settings_module, "entry_points", lambda group: points)


@pytest.mark.usefixtures("installed")
def test_settings_of_plugins_are_handed_on_with_where_they_stand(tmp_path):
    (tmp_path / "nova.toml").write_text(
        'port = 1\n[nova_bot_chat]\nurl = "a"\nlimits = [1, 2]\n[nova_bot]\nchat = true\n'
    )
    environ = {"NOVA_BOT_CHAT_URL": "b ", "NOVA_BOT_CHAT_KEY": "k", "NOVA_BOT_CHAT_EMPTY": " ", "NOVA_BOT_X": "5"}
    settings = load({}, environ, tmp_path)
    assert settings.port == 1
    assert settings.of_plugins == {
        "nova_bot_chat": {
            "url": GivenValue("b", "NOVA_BOT_CHAT_URL"),
            "limits": GivenValue([1, 2], "nova.toml: nova_bot_chat.limits"),
            "key": GivenValue("k", "NOVA_BOT_CHAT_KEY"),
        },
        "nova_bot": {"chat": GivenValue(True, "nova.toml: nova_bot.chat"), "x": GivenValue("5", "NOVA_BOT_X")},
    }
    assert load({}, {}, Path("/somewhere")).of_plugins == {}


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("text", "environ", "line"),
    [
        ("nova_bot = 5\n", {}, "nova.toml: nova_bot is a plugin, its settings stand in a table [nova_bot]"),
        ("[nova_bott]\n", {}, "nova.toml: unknown key 'nova_bott' (did you mean nova_bot?)"),
        ("[nova_other]\na = 1\n", {}, "nova.toml: unknown key 'nova_other'"),
        ("", {"NOVA_BOT": "1"}, "unknown environment variable NOVA_BOT"),
        ("", {"NOVA_BOT_": "1"}, "unknown environment variable NOVA_BOT_"),
        ("", {"NOVA_OTHER_X": "1"}, "unknown environment variable NOVA_OTHER_X"),
    ],
)
def test_settings_of_no_plugin_are_refused(tmp_path, text, environ, line):
    (tmp_path / "nova.toml").write_text(text)
    assert refusal({}, environ, tmp_path).startswith(line)
