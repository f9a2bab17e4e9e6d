"""The pages, a file for each kind of visitor."""

from django.http import HttpRequest


def wants_fragment(request: HttpRequest) -> bool:
    """Whether a script asks, which needs only the part of the page that changes."""
    return request.headers.get("HX-Request") == "true"
