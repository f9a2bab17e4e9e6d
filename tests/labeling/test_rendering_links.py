"""A link shows the host that a browser goes to; an address that can be misread is no link."""

import re

import pytest

from labeling.rendering import links, render

ALIKE = [
    ("http://bank.example@evil.example/", "evil.example"),
    ("http://bank.example:pw@evil.example:8080/", "evil.example:8080"),
    ("http://bank.example%2f@evil.example/", "evil.example"),
    ("https://EVIL.example./", "evil.example."),
    ("http://a.example/@b.example", "a.example"),
    ("http://a.example?@b.example", "a.example"),
    ("http://a.example#@b.example", "a.example"),
    ("http://127.0.0.1/", "127.0.0.1"),
    ("http://[::1]:81/", "[::1]:81"),
    ("mailto:a@mail.example?subject=x", "mail.example"),
]
MISREAD = [
    "http://good.example\\@evil.example/",
    "http:///evil.example/",
    "http:evil.example",
    "http://%65vil.example/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://127.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.1./",
    "http://[::0001]/",
    "http://[1.2.3.4]/",
    "http://a..b/",
    "http://-a.example/",
    "http://a.example:99999/",
    "http://a.example:x/",
    "http://a.example:80:81/",
    "http://@/",
    "http://a b/",
    "http://" + "a" * 64 + ".example/",
    "mailto:nobody",
    "mailto:a@x.example,b@y.example",
    "mailto:a@x.example?cc=b@y.example",
    "mailto:a@x.example?subject=x&bcc=b@y.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "ftp://a.example/",
    "//a.example/",
    "/account/",
]


def hosts(html: str) -> list[str]:
    return re.findall(r'<span class="host">\((.*?)\)</span>', html)


@pytest.mark.parametrize(("href", "host"), ALIKE)
def test_the_host_behind_the_address_is_shown(href, host):
    assert links.host_of(href) == host
    assert hosts(render(f"[bank.example](<{href}>)")) == [host]


@pytest.mark.parametrize("href", MISREAD)
def test_an_address_that_a_browser_reads_otherwise_is_no_link(href):
    assert not links.is_link(href)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("http://\u0430pple.example/", "\u0430pple.example · xn--pple-43d.example"),
        ("http://xn--pple-43d.example/", "\u0430pple.example · xn--pple-43d.example"),
        ("https://例え.jp:8443/", "例え.jp:8443 · xn--r8jz45g.jp:8443"),
        ("http://xn--ls8h.example/", "\U0001f4a9.example · xn--ls8h.example"),
    ],
)
def test_a_host_in_other_letters_is_shown_in_both_spellings(written, shown):
    assert hosts(render(f"<{written}>")) == [shown]


@pytest.mark.parametrize(
    "host",
    [
        "xn--99999999",
        "xn---",
        "xn--a",
        "a\u200bb",
        "a\u202eb",
        "\uff45vil",
        "FA\u1e9e",
        "a\u2044b",
    ],
)
def test_a_host_that_no_browser_would_write_so_is_no_link(host):
    assert hosts(render(f"[x](<http://{host}.example/>)")) == []


def test_what_is_no_link_stays_the_text_it_was():
    assert "[a](http://2130706433/)" in render("[a](http://2130706433/)")
