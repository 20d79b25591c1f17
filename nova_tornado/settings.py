"""What can be set, and from where: defaults < nova.toml < NOVA_* variables < flags of the command line.

Each setting is declared once, in `OPTIONS`: its name there is the key in nova.toml, `NOVA_` and that name in capitals
is the variable. Values are checked here, whatever door they came through, and what is wrong is one `SettingsError`. A
variable that is empty is taken as not set.
"""

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from nova_tornado.logs import LOG_FORMATS

if TYPE_CHECKING:
    from ssl import SSLContext

CONFIG_FILE = "nova.toml"
"""The settings file; read from the working folder where it lies there."""

DATA_FOLDER = "nova-data"
"""The data folder, in the working folder, unless another is set."""

DATABASE = "nova"
"""The database's name, unless the MongoDB URI names another."""

WORKERS_MAX_COUNT = 64
"""Each worker is linked to each other one; more cores than this are better used by several machines."""

PLUGIN_ENTRY_POINTS = "nova.plugins"
"""The group of entry points in which plugins are found."""

SETUP_VARIABLES = frozenset({"NOVA_CONFIG", "NOVA_PYTHON", "NOVA_VENV", "NOVA_MONGOD", "NOVA_CHROMIUM"})
"""Variables that are no settings of the server but of its set-up (bin/env.sh), of storage.embedded, of the tests and of
the process that starts several servers."""

TOKEN_MIN_CHARACTERS = 16
"""A token that can be tried out is none."""

TEST_VARIABLES = "NOVA_TEST_"
"""What begins so belongs to the tests (bin/test, tests/), and the server ignores it."""


class SettingsError(Exception):
    """A setting that cannot be used; `str()` is the one line to show."""


@dataclass(frozen=True, slots=True)
class GivenValue:
    """A value as the operator has written it, to be checked by the plugin that it is for.

    Attributes:
        origin: where it was written, for messages.
    """

    value: object
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one server, checked.

    Attributes:
        host: the name or address to listen on.
        port: the port to listen on; 0 means any free one.
        data: the folder of the embedded database and of mails.
        mongo: a MongoDB URI; None means the embedded database.
        redis: a Redis URI that joins this process with others on the same database; None means that there are none.
        workers: how many processes share the port.
        tls_cert: a PEM file with the certificate and those between it and its authority; None means without TLS.
        tls_key: a PEM file with the certificate's private key.
        base_url: what links in mails and files begin with, without a slash at its end; "" means from host and port.
        mail_dir: the folder that mails are written to; None means `data / "mail"`.
        smtp: where mails are sent to instead, as `smtp://` or `smtps://`; None means the folder.
        mail_from: the address that mails come from; "" means `nova` at the base URL's host.
        file_max_mib: how large an uploaded file may be, in MiB.
        bcrypt_rounds: the cost of a password's hash; each step doubles it.
        rate_limits: whether too many requests are refused.
        allow_origin: further origins that browsers may use Nova from, each `scheme://host[:port]`.
        trusted_proxies: addresses or networks of reverse proxies, whose `X-Forwarded-For` is believed.
        metrics_token: who brings it may read the metrics; None means that only this machine may.
        log_format: one of `LOG_FORMATS`.
        plugins_off: names of the plugins that are switched off.
        of_plugins: what was set for plugins, by plugin and name; the plugins check it.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    data: Path = Path(DATA_FOLDER)
    mongo: str | None = None
    redis: str | None = None
    workers: int = 1
    tls_cert: Path | None = None
    tls_key: Path | None = None
    base_url: str = ""
    mail_dir: Path | None = None
    smtp: str | None = None
    mail_from: str = ""
    file_max_mib: int = 25
    bcrypt_rounds: int = 12
    rate_limits: bool = True
    allow_origin: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    metrics_token: str | None = None
    log_format: str = "text"
    plugins_off: tuple[str, ...] = ()
    of_plugins: Mapping[str, Mapping[str, "GivenValue"]] = field(default_factory=dict)

    @property
    def links_base_url(self) -> str:
        """What links begin with, whatever is set."""
        return self.base_url or self.url_of(self.host)

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the server over TLS: its own, or that of a proxy in front of it."""
        return self.tls_cert is not None or self.base_url.startswith("https:")

    def url_of(self, host: str) -> str:
        """The server's URL by a name or address of its host."""
        scheme = "http" if self.tls_cert is None else "https"
        return f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"

    def tls_context(self) -> "SSLContext | None":
        """What speaks TLS; None means without.

        Raises:
            SettingsError: the certificate and the key cannot be used.
        """
        if self.tls_cert is None or self.tls_key is None:
            return None
        import ssl  # only here: without TLS it would delay the start

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            # An encrypted key fails with an empty password, instead of asking for one on the terminal.
            context.load_cert_chain(self.tls_cert, self.tls_key, password=lambda: "")
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
            raise SettingsError(f"tls_cert and tls_key cannot be used together: {reason}") from None
        return context


@dataclass(frozen=True, slots=True)
class Option:
    """How one setting is read.

    Attributes:
        name: the field of `Settings`.
        parse: makes the value out of text, or of what TOML holds; raises ValueError with the reason as its text, which
            completes a sentence that begins with the value.
        flag: its flag on the command line.
        secret: whether the value may hold a password, and so is never repeated in a message.
    """

    name: str
    parse: Callable[[object, Path], Any]
    flag: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return f"NOVA_{self.name.upper()}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("is not text in quotes")
    if not value.strip() or any(ord(character) < 32 for character in value):
        raise ValueError("is empty or has control characters")
    return value.strip()


def _whole_number(lowest: int, highest: int) -> Callable[[object, Path], int]:
    def parse(value: object, _folder: Path) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value.strip()):
            value = int(value)
        # bool is an int to Python, but `port = true` is a mistake.
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise ValueError(f"is not a whole number from {lowest} to {highest}")
        return value

    return parse


def _switch(value: object, _folder: Path) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in ("on", "true", "yes", "1"):
        return True
    if word in ("off", "false", "no", "0"):
        return False
    raise ValueError("is neither on nor off")


def _folder(value: object, folder: Path) -> Path:
    text = _text(value)
    try:
        return folder / Path(text).expanduser()
    except RuntimeError:
        raise ValueError("names a home folder that is not there") from None


def _file(value: object, folder: Path) -> Path:
    path = _folder(value, folder)
    try:
        path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    return path


def _host(value: object, _folder: Path) -> str:
    text = _text(value)
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", text):
            raise ValueError("is not the name or address of a host") from None
    return text


def _split_url(text: str, schemes: Iterable[str]) -> SplitResult:
    # The schemes are named in the error, because a forgotten one is the commonest mistake.
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in schemes or not parts.netloc:
        raise ValueError(f"does not begin with {wanted} and a host")
    if any(character.isspace() for character in text):
        raise ValueError("has a blank in it")
    return parts


def _checked_host_and_port(parts: SplitResult) -> str:
    """The host and port as they stand in an origin, in lower case."""
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("has a port that is not a number from 0 to 65535") from None
    if not host:
        raise ValueError("names no host")
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port is None else f"{bracketed}:{port}"


def _mongo(value: object, _folder: Path) -> str:
    text = _text(value)
    parts = _split_url(text, ("mongodb", "mongodb+srv"))
    if not parts.netloc.rpartition("@")[2]:
        raise ValueError("names no host")
    if re.search(r'[/\\. "$*<>:|?\0]', database_of(text)) or len(database_of(text).encode()) > 63:
        raise ValueError("names a database that MongoDB does not allow")
    return text


def _base_url(value: object, _folder: Path) -> str:
    parts = _split_url(_text(value), ("http", "https"))
    if "?" in str(value) or "#" in str(value) or "@" in parts.netloc:
        raise ValueError("has more than a host, a port and a path")
    return f"{parts.scheme}://{_checked_host_and_port(parts)}{parts.path.rstrip('/')}"


def _smtp(value: object, _folder: Path) -> str:
    text = _text(value)
    parts = _split_url(text, ("smtp", "smtps"))
    _checked_host_and_port(parts)
    if parts.path.strip("/") or "?" in text or "#" in text:
        raise ValueError("has more than a user, a password, a host and a port")
    return text


def _mail_address(value: object, _folder: Path) -> str:
    text = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", text):
        raise ValueError("is not the address of a mailbox, name@host")
    return text


def _origin(text: str) -> str:
    parts = _split_url(text, ("http", "https"))
    origin = f"{parts.scheme}://{_checked_host_and_port(parts)}"
    if text.lower() != origin:
        raise ValueError("is not an origin, scheme://host[:port] without anything behind it")
    # A browser leaves the usual port out.
    return origin.removesuffix(":80" if parts.scheme == "http" else ":443")


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError("is not an IP address or network") from None


def _plugin_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", text):
        raise ValueError("is not the name of a plugin")
    return text


def _list_of(parse_one: Callable[[str], str]) -> Callable[[object, Path], tuple[str, ...]]:
    def parse(value: object, _folder: Path) -> tuple[str, ...]:
        if isinstance(value, str):
            value = value.replace(",", " ").split()
        if not isinstance(value, (list, tuple)):
            raise ValueError("is not a list")
        found = []
        for item in value:
            try:
                found.append(parse_one(_text(item)))
            except ValueError as error:
                # The list may be long: say which of its items is meant.
                raise ValueError(f"{error}" if value == (item,) else f"holds {item!r}, which {error}") from None
        return tuple(dict.fromkeys(found))

    return parse


def _token(value: object, _folder: Path) -> str:
    text = _text(value)
    if not re.fullmatch(rf"[!-~]{{{TOKEN_MIN_CHARACTERS},}}", text):
        raise ValueError(f"is not a token: at least {TOKEN_MIN_CHARACTERS} letters, digits and signs, no blanks")
    return text


def _log_format(value: object, _folder: Path) -> str:
    text = _text(value).lower()
    if text not in LOG_FORMATS:
        raise ValueError(f"is neither {' nor '.join(LOG_FORMATS)}")
    return text


def _redis(value: object, _folder: Path) -> str:
    text = _text(value)
    if text.startswith("unix:///") and not any(character.isspace() for character in text):
        return text
    try:
        parts = _split_url(text, ("redis", "rediss"))
    except ValueError as error:
        raise ValueError(f"{error} (or with unix:/// and a path)") from None
    _checked_host_and_port(parts)
    if not re.fullmatch(r"/?|/[0-9]{1,4}", parts.path):
        raise ValueError("has a path that is not the number of a Redis database")
    return text


OPTIONS = (
    Option("host", _host, "--host"),
    Option("port", _whole_number(0, 65535), "--port"),
    Option("data", _folder, "--data"),
    Option("mongo", _mongo, "--mongo", secret=True),
    Option("redis", _redis, "--redis", secret=True),
    Option("workers", _whole_number(1, WORKERS_MAX_COUNT), "--workers"),
    Option("tls_cert", _file, "--tls-cert"),
    Option("tls_key", _file, "--tls-key"),
    Option("base_url", _base_url, "--base-url"),
    Option("mail_dir", _folder, "--mail-dir"),
    Option("smtp", _smtp, "--smtp", secret=True),
    Option("mail_from", _mail_address, "--mail-from"),
    Option("file_max_mib", _whole_number(1, 1024), "--file-max-mib"),
    Option("bcrypt_rounds", _whole_number(4, 31), "--bcrypt-rounds"),
    Option("rate_limits", _switch, "--rate-limits"),
    Option("allow_origin", _list_of(_origin), "--allow-origin"),
    Option("trusted_proxies", _list_of(_network), "--trusted-proxy"),
    Option("metrics_token", _token, "--metrics-token", secret=True),
    Option("log_format", _log_format, "--log-format"),
    Option("plugins_off", _list_of(_plugin_name), "--plugin-off"),
)
"""Every setting there is, in the order of `Settings`."""


def load(flags: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> Settings:
    """Reads all settings.

    Args:
        flags: what the command line gave, by the names of `Settings`, and `config` for the settings file; None and ()
            mean not given.
        environ: the environment variables; only those that begin with `NOVA_` count.
        folder: the working folder. Relative paths begin there; those in a settings file begin where that file lies.

    Raises:
        SettingsError: something is unknown or cannot be used.
    """
    plugins = _installed_plugins()
    of_plugins = {name: dict[str, GivenValue]() for name in plugins}
    values: dict[str, Any] = {}
    config, config_folder, config_name = _read_config(flags.get("config"), environ.get("NOVA_CONFIG"), folder, plugins)
    for name in plugins:
        for key, value in config.get(name, {}).items():
            of_plugins[name][key] = GivenValue(value, f"{config_name}: {name}.{key}")
    _refuse_unknown_variables(set(environ) - _read_plugin_variables(environ, of_plugins))
    for option in OPTIONS:
        if option.name in config:
            values[option.name] = _parse(option, config[option.name], config_folder, f"{config_name}: {option.name}")
        if (text := environ.get(option.variable, "").strip()) != "":
            values[option.name] = _parse(option, text, folder, option.variable)
        if (flag := flags.get(option.name)) not in (None, ()):
            values[option.name] = _parse(option, flag, folder, option.flag)
    values.setdefault("data", folder / DATA_FOLDER)
    settings = Settings(**values, of_plugins={name: given for name, given in of_plugins.items() if given})
    if settings.smtp is not None and settings.mail_dir is not None:
        raise SettingsError("smtp and mail_dir are both set, but mails go to one place: leave one of them out")
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise SettingsError("tls_cert and tls_key go together: set both of them, or neither")
    settings.tls_context()
    return settings


def database_of(mongo_uri: str) -> str:
    """The database that a MongoDB URI names in its path, `DATABASE` if it names none."""
    hosts_and_path = mongo_uri.partition("://")[2].partition("?")[0]
    return unquote(hosts_and_path.partition("/")[2]) or DATABASE


def _parse(option: Option, value: object, folder: Path, origin: str) -> Any:
    try:
        return option.parse(value, folder)
    except ValueError as error:
        if isinstance(value, tuple) and len(value) == 1:
            value = value[0]
        shown = "the value" if option.secret else repr(value)
        raise SettingsError(f"{origin}: {shown} {error}") from None


def _installed_plugins() -> list[str]:
    """The names of the plugins that are installed, the longest first; none of them is loaded."""
    return sorted({point.name for point in entry_points(group=PLUGIN_ENTRY_POINTS)}, key=len, reverse=True)


def _read_plugin_variables(environ: Mapping[str, str], of_plugins: dict[str, dict[str, GivenValue]]) -> set[str]:
    """Take the variables of plugins, which win over the file; returns their names."""
    own = {option.variable for option in OPTIONS} | SETUP_VARIABLES
    taken = set()
    for variable in environ.keys() - own:
        for name in of_plugins:
            prefix = f"NOVA_{name.removeprefix('nova_')}_".upper()
            if variable.startswith(prefix) and variable != prefix:
                taken.add(variable)
                if text := environ[variable].strip():
                    of_plugins[name][variable.removeprefix(prefix).lower()] = GivenValue(text, variable)
                break
    return taken


def _read_config(
    flag: str | None, variable: str | None, folder: Path, plugins: list[str]
) -> tuple[dict[str, Any], Path, str]:
    """What the settings file holds, the folder it lies in, and how to call it in messages."""
    named = flag or variable
    path = folder / (named or CONFIG_FILE)
    name = named or CONFIG_FILE
    try:
        config = tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        if named:
            raise SettingsError(f"{name}: there is no such file") from None
        return {}, folder, name
    except OSError as error:
        raise SettingsError(f"{name}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        # tomllib's errors and those of decoding are both ValueErrors, and of one line each.
        raise SettingsError(f"{name}: is not valid TOML: {error}") from None
    known = [option.name for option in OPTIONS]
    for key in config:
        if key in plugins:
            if not isinstance(config[key], dict):
                raise SettingsError(f"{name}: {key} is a plugin, its settings stand in a table [{key}]")
        elif key not in known:
            raise SettingsError(f"{name}: unknown key {key!r}{_nearest(key, [*known, *plugins])}")
    return config, path.parent, name


def _refuse_unknown_variables(environ: Iterable[str]) -> None:
    known = {option.variable for option in OPTIONS} | SETUP_VARIABLES
    for name in sorted(environ):
        if name.startswith("NOVA_") and name not in known and not name.startswith(TEST_VARIABLES):
            raise SettingsError(f"unknown environment variable {name}{_nearest(name, known)}")


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {found[0]}?)" if found else ""
