"""Texts that attack a page, by name: what rendering and the rating page are tried on."""
