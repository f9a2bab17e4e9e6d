"""A script with every module that it imports, as one script: many small files are one request.

Of JavaScript's modules only what static/js uses is understood, each statement at the start of a
line: ``import * as NAME from "./FILE";``, ``import { NAME, NAME } from "./FILE";`` and ``export
const NAME = ``. Whatever else only a module can say is refused, which ends the collecting of
static files before anybody is served. A module becomes a function that is called once, so that
what it does not export stays its own; the script itself stands last, as it was. Two scripts that
share a module would each have a copy of it, so a page has one script that imports.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

Texts = Mapping[str, str]  # what stands in each file, by its name

NAMES = r"\{\s*\w+(?:,\s*\w+)*,?\s*\}"
IMPORT = re.compile(rf'^import (?:\* as (\w+)|({NAMES})) from "(\.[^"]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=const (\w+) = )", re.MULTILINE)
# Import and export in any other form; awaiting, which a function that is called at once cannot do.
OTHER = re.compile(r"^(?:import|export|await)\b.*|\bimport(?:\(|\.meta).*", re.MULTILINE)


def join(name: str, texts: Texts) -> str:
    """The script ``name`` behind all that it imports. Raises ValueError, one sentence."""
    *modules, _ = _in_order(name, texts)
    return "\n".join([*(_as_function(one, texts) for one in modules), _bound(name, texts)])


def _in_order(name: str, texts: Texts, above: tuple[str, ...] = ()) -> list[str]:
    """A module and all under it, each once and behind what it imports: as a browser runs them."""
    if name in above:
        raise ValueError(f"{name} imports itself by way of {above[-1]}.")
    if name not in texts:
        raise ValueError(f"{above[-1]} imports {name}, which is not there.")
    under = [_resolved(name, path) for *_, path in IMPORT.findall(texts[name])]
    found = (one for module in under for one in _in_order(module, texts, (*above, name)))
    return [*dict.fromkeys(found), name]


def _as_function(name: str, texts: Texts) -> str:
    body, exported = _bound(name, texts).rstrip(), ", ".join(EXPORT.findall(texts[name]))
    return f"const {_called(name)} = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();\n"


def _bound(name: str, texts: Texts) -> str:
    """A module's text with constants in the place of what it imports, and no exports."""

    def constant(found: re.Match[str]) -> str:
        return f"const {found[1] or found[2]} = {_called(_resolved(name, found[3]))};"

    text = EXPORT.sub("", IMPORT.sub(constant, texts[name]))
    if other := OTHER.search(text):
        raise ValueError(f"{name} says what cannot be joined: {other[0].strip()}")
    return text


def _resolved(name: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path))


def _called(name: str) -> str:
    """What a module is called among the others: like nothing that a module calls its own."""
    return "$" + re.sub(r"\W", "_", name.removesuffix(".js"))
