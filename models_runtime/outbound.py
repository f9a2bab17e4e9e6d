"""Calling out over HTTP: the one place that resolves, checks and pins addresses.

A name is resolved once and the connection goes to that very address, so that a name server
cannot point the second look-up elsewhere. Addresses where clouds hand out their keys (all that
are link-local, and a few besides), multicast and unspecified ones are refused; redirects are never
followed. Private networks are where model servers live, and are allowed to ``connect``;
``connect_publicly`` refuses them, for addresses that people type into a page.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

CONNECT_SECONDS = 5.0
# Where a machine of Amazon's (by IPv6), Alibaba's, Microsoft's and Oracle's asks for its keys.
KEEPERS = {
    ipaddress.ip_address(known)
    for known in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
}
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# All of IPv6 that is given out. Python calls global what lies beside it, too: a site's own NAT64
# (64:ff9b:1::/48), addresses that end in an IPv4 one (::/96), what was site-local (fec0::/10).
UNICAST = ipaddress.IPv6Network("2000::/3")


class Unreachable(OSError):
    """Nothing answers there, or it is no address to call; the message is a sentence."""


def connect(base_url: str) -> tuple[http.client.HTTPConnection, str]:
    """(an open connection, the path of base_url). Raises Unreachable."""
    return _connected(base_url, _address)


def connect_publicly(url: str) -> tuple[http.client.HTTPConnection, str]:
    """The same for an https address, every answer of whose name is an address of the public
    internet. Raises Unreachable."""
    if urlsplit(url).scheme != "https":
        raise Unreachable("Only an https address is called.")
    return _connected(url, _public_address)


def _connected(
    base_url: str, resolve: Callable[[str, int], tuple[str, int]]
) -> tuple[http.client.HTTPConnection, str]:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unreachable(f"{base_url} is no http address.")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        sock = socket.create_connection(resolve(parts.hostname, port), CONNECT_SECONDS)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            sock = context.wrap_socket(sock, server_hostname=parts.hostname)
    except (OSError, ValueError) as error:
        raise Unreachable(f"{parts.hostname} cannot be reached ({error}).") from error
    connection = http.client.HTTPConnection(parts.hostname, port)
    connection.sock = sock  # already connected, to the address that was checked
    return connection, parts.path.rstrip("/")


def _address(host: str, port: int) -> tuple[str, int]:
    """The first address of the name. Raises Unreachable for one that is not to be called."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
    ip = _reached(ipaddress.ip_address(str(found).partition("%")[0]))
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in KEEPERS:
        raise Unreachable(f"{host} is {ip}, which is never called.")
    return str(found), port


def _public_address(host: str, port: int) -> tuple[str, int]:
    """The first of its addresses, if all of them are public: a name that answers with one of
    each would be called inside at the next try."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for answer in answers:
        ip = _reached(ipaddress.ip_address(str(answer[4][0]).partition("%")[0]))
        public = ip.is_global and (ip.version == 4 or ip in UNICAST)
        if not public or ip.is_multicast or ip in KEEPERS:
            raise Unreachable(f"{host} is no address of the public internet.")
    return str(answers[0][4][0]), port


def _reached(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """What an IPv6 address leads to that only wraps an IPv4 one."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
