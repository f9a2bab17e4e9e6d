"""What the second wall lets through means the same however often a browser reads and writes it."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page

from labeling.rendering import wall
from tests.hostile.texts import BROKEN_OUT, MARKUP

pytestmark = pytest.mark.long

IMG = "<img src=x onerror=window.owned=1>"
# Markup that changes its meaning on being parsed again, after the public reports of sanitisers
# that were passed: namespaces left and entered, foster parenting, raw text, depth.
MUTANTS = {
    "mglyph in a table": f"<math><mtext><table><mglyph><style><!--</style>{IMG}",
    "malignmark": f"<math><mtext><malignmark><style></math>{IMG}</style></malignmark>",
    "annotation": f"<math><annotation-xml encoding=text/html><style></math>{IMG}</style>",
    "form out of math": f"<form><math><mtext></form><form><mglyph><style></math>{IMG}",
    "paragraph in math": f"<math><mi><p></math><mrow><mi></p>{IMG}</mi></mrow>",
    "end of a paragraph": f"<math></p><style><!--</style>{IMG}--></math>",
    "svg in math": f"<math><mi><svg><mi><style>{IMG}</style></mi></svg></mi></math>",
    "math in svg": f"<svg><desc><math><mo><title></math>{IMG}</title></mo></desc></svg>",
    "table in a token": f"<math><mtext><table><tr><td><math><mi></table>{IMG}</mi></math>",
    "foster parent": f"<table><math><mrow><tr><td></math>{IMG}</td></tr></mrow></table>",
    "list in math": f"<math><mo><ul><li></math><li></ul>{IMG}</mo>",
    "link in math": "<math><mtext><a href='http://x.example/</math>'><p>x</a><a>y</a></mtext></math>",
    "code in math": f"<math><mtext><pre><code></math>{IMG}</code></pre></mtext></math>",
    "heading in math": f"<math><h3></math>{IMG}</h3>",
    "break in math": f"<math><br><mi>{IMG}</mi></math>",
    "character data": f"<math><mtext><![CDATA[</mtext></math>{IMG}]]></math>",
    "noscript": f"<math><noscript><p title='</noscript>{IMG}'></noscript></math>",
    "textarea": f"<math><mtext><textarea></math>{IMG}</textarea></mtext></math>",
    "plaintext": f"<math><mtext><plaintext></math>{IMG}",
    "depth": "<math>" + "<mrow>" * 600 + f"<mtext><p>{IMG}" + "</p></mtext>",
    "depth of html": "<blockquote>" * 600 + f"<math><mtext><table>{IMG}" + "</blockquote>" * 600,
    "formatting": f"<em><math><mtext><strong></em></math></strong>{IMG}",
}
EVERY = {**MUTANTS, **MARKUP, **BROKEN_OUT}
READ_AND_WRITE = """(html) => {
  const box = document.createElement("div");
  const found = [];
  for (let round = 0; round < 4; round++) {
    box.innerHTML = html;
    const every = [...box.querySelectorAll("*")];
    found.push(...every.map((one) => [one.localName, one.getAttributeNames()]));
    html = box.innerHTML;
  }
  return JSON.stringify(found);
}"""


def test_nothing_grows_out_of_what_passed_the_wall(page: Page) -> None:
    for name, markup in EVERY.items():
        found = json.loads(page.evaluate(READ_AND_WRITE, wall.cleaned(markup)))
        for tag, attributes in found:
            assert tag in wall.TAGS, name
            assert set(attributes) <= wall.ATTRIBUTES.get(tag, set()) | {"target", "rel"}, name
    page.wait_for_timeout(100)
    assert page.evaluate("window.owned") is None


def test_the_test_sees_what_grows(page: Page) -> None:
    """Without the wall the same markup brings elements that were never allowed, and runs."""
    found = json.loads(page.evaluate(READ_AND_WRITE, MUTANTS["mglyph in a table"]))
    assert "img" in {tag for tag, _ in found}
    page.wait_for_function("window.owned === 1")
