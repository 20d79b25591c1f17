"""Modules put together do what they do one by one; the browser's tests run the client in this form."""

from importlib.resources import files
from pathlib import Path

import pytest

from nova_tornado.web.module_pack import FIRST, LATER, NotPackableError, pack_modules, resolve
from nova_tornado.web.static_files import own_folder

MODULES = {
    "main.js": """/** The start. */
import { render } from "preact";
import htm from "htm";
import * as store from "./store/state.js";
import { add as plus, one } from "./sums.js";
import "./side_effect.js";

// A line that goes.
const open = () => import("./panels/later.js");
export const text = "// stays"; // stays, too
""",
    "nova.js": """export * from "./sums.js";
export { value as first } from "./store/state.js";
export { render } from "preact";
const own = 1;
export { own as mine };
""",
    "sums.js": "export function add(a, b) {\n  return a + b;\n}\nexport const one = 1;\n",
    "side_effect.js": "globalThis.ran = true;\n",
    "store/state.js": """import {
  add,
  one,
} from "../sums.js";

export const value = add(one, one);
export const here = new URL("../icons/", import.meta.url);
""",
    "panels/later.js": """import { value } from "../store/state.js";
import { shared } from "./shared.js";
export class Panel {}
export default function open() {}
""",
    "panels/shared.js": "export async function shared() {}\n",
    "never.js": "export const unused = 1;\n",
}


def test_what_is_needed_at_once_and_what_is_needed_later_are_two_files():
    packs = pack_modules(MODULES, "main.js", "nova.js", "packed")
    first, later = packs[FIRST], packs[LATER]
    assert first.externals == ["preact", "htm"] and later.externals == []
    places = [first.text.index(f'$m["{path}"] = ') for path in ("sums.js", "store/state.js", "nova.js", "main.js")]
    assert places == sorted(places)
    assert '$m["panels/' not in first.text.replace('then(() => $m["panels/later.js"])', "")
    assert [path for path in MODULES if f'$m["{path}"] = ' in later.text] == ["panels/later.js", "panels/shared.js"]
    assert later.text.startswith(f'import {{ $modules as $m }} from "./{FIRST}";')
    assert "unused" not in first.text + later.text
    assert "The start" not in first.text and "A line that goes" not in first.text
    assert '"// stays"; // stays, too' in first.text
    assert 'new URL("../icons/", new URL("../store/state.js", import.meta.url).href)' in first.text
    assert 'import("./later.js").then(() => $m["panels/later.js"])' in first.text
    assert "const { default: htm } = $x_htm;" in first.text
    assert 'const { add: plus, one: one } = $m["sums.js"];' in first.text
    assert first.text.endswith(
        'const { add: $e0, one: $e1, first: $e2, render: $e3, mine: $e4 } = $m["nova.js"];\n'
        "export { $m as $modules, $e0 as add, $e1 as one, $e2 as first, $e3 as render, $e4 as mine };\n"
    )
    assert "return { Panel: Panel, default: open };" in later.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('import { a } from "./main.js";', "in a circle"),
        ('import { a } from "./missing.js";', "there is no module missing.js"),
        ("export let counter = 0;", "export let counter"),
        ("export default 3;", "export default 3"),
        ("await start();", "await start"),
        ('import a, { b } from "./other.js";', "import a, {"),
        ('export * from "preact";', "passes on all of preact"),
        ("import { a } from './other.js';", "import { a } from '"),
    ],
)
def test_what_cannot_be_packed_is_refused(text, reason):
    with pytest.raises(NotPackableError, match=reason.replace("{", r"\{")):
        pack_modules(
            {"main.js": 'import "./part.js";', "part.js": text, "other.js": ""}, "main.js", "main.js", "packed"
        )


def test_paths_are_resolved_as_browsers_do():
    assert resolve("a/b/c.js", "./d.js") == "a/b/d.js"
    assert resolve("a/b/c.js", "../../d.js") == "d.js"


def read_modules(folder: Path) -> dict[str, str]:
    """The modules of a folder, by their paths in it."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.js")}


def test_the_client_and_the_shipped_parts_can_be_packed():
    packs = pack_modules(read_modules(own_folder("static") / "client"), "main.js", "nova.js", "packed")
    assert packs.keys() == {FIRST, LATER}
    for plugin in ("nova_bot_chat", "nova_chat_invitations", "nova_message_filters"):
        folder = Path(str(files(plugin))) / "client"
        assert pack_modules(read_modules(folder), "main.js", "main.js", "packed")[FIRST].externals == ["nova"]
