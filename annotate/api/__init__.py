"""The REST API, version 1: what people do on the pages, done by their programs under tokens.

Nothing is decided here: a route takes its rows from annotate.access and calls the services that
the pages call. docs/decisions/068 says why it is made as it is.
"""
