"""Modules become one script: each once, in order, with what it does not export its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from annotate.joined_scripts import join

PAGE = """// The page.
import { add } from "./parts/sums.js";
import * as words from "./words.js";

const NAME = "page";
console.log([NAME, words.NAME, words.said(), add(1, 2)].join(" "));
"""
WORDS = """import {
  add,
  LEAST,
} from "./parts/sums.js";

export const NAME = "words";
export const said = () => `${NAME} ${add(LEAST, LEAST)}`;
"""
SUMS = """const NAME = "sums";
export const LEAST = NAME.length;
export const add = (one, two) => one + two;
"""
SCRIPTS = {"js/page.js": PAGE, "js/words.js": WORDS, "js/parts/sums.js": SUMS}


def test_what_is_imported_stands_before_once_and_as_a_function_of_its_own() -> None:
    assert (
        join("js/page.js", SCRIPTS)
        == """const $js_parts_sums = (() => {
const NAME = "sums";
const LEAST = NAME.length;
const add = (one, two) => one + two;
return { LEAST, add };
})();

const $js_words = (() => {
const {
  add,
  LEAST,
} = $js_parts_sums;

const NAME = "words";
const said = () => `${NAME} ${add(LEAST, LEAST)}`;
return { NAME, said };
})();

// The page.
const { add } = $js_parts_sums;
const words = $js_words;

const NAME = "page";
console.log([NAME, words.NAME, words.said(), add(1, 2)].join(" "));
"""
    )


@pytest.mark.skipif(not shutil.which("node"), reason="node runs JavaScript outside a browser")
def test_it_says_what_the_modules_say(tmp_path: Path) -> None:
    for name, text in SCRIPTS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "joined.js").write_text(join("js/page.js", SCRIPTS))
    said = [
        subprocess.run(["node", tmp_path / name], capture_output=True, text=True, check=True)
        for name in ("js/page.js", "joined.js")
    ]
    assert [one.stdout for one in said] == ["page words words 8 3\n"] * 2


def test_a_script_that_imports_nothing_is_as_it_was() -> None:
    assert join("js/alone.js", {"js/alone.js": "alert(1);\n"}) == "alert(1);\n"


@pytest.mark.parametrize(
    "statement",
    [
        'import words from "./words.js";',
        'import "./words.js";',
        'import { NAME as name } from "./words.js";',
        'import { NAME } from "./words.js"',
        'const words = await import("./words.js");',
        "await document.fonts.ready;",
        "export let count = 0;",
        "export function count() {}",
        "export default 1;",
        'export * from "./words.js";',
        "const here = import.meta.url;",
    ],
)
def test_what_it_does_not_understand_is_refused(statement: str) -> None:
    with pytest.raises(ValueError, match=r"^js/odd\.js says what cannot be joined: "):
        join("js/odd.js", {**SCRIPTS, "js/odd.js": f"{statement}\n"})


def test_a_circle_is_refused() -> None:
    one, two = (f'import * as other from "./{name}.js";\n' for name in ("two", "one"))
    with pytest.raises(ValueError, match=r"^js/one\.js imports itself by way of js/two\.js\.$"):
        join("js/one.js", {"js/one.js": one, "js/two.js": two})


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"^js/words\.js imports js/parts/sums\.js, which is not"):
        join("js/words.js", {"js/words.js": WORDS})
