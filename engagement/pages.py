"""From a page's URL to the signal's kind, by the rulebook's globs.

A glob is matched against the whole path, lower case, without query and fragment: ``*`` is any run of characters (slashes too), ``?`` one
character. The first that matches wins: ``ignore_urls``, then the kinds' ``urls`` in the rulebook's order, then assets by their extension
(so a kind may claim ``*.mp4``), then the kind ``page``.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import NamedTuple

DEFAULT_KIND = "page"
ASSET_EXTENSIONS = frozenset(
    (
        *("css", "js", "json", "map", "mjs", "txt", "wasm", "webmanifest", "xml"),
        *("avif", "bmp", "gif", "ico", "jpeg", "jpg", "png", "svg", "tif", "tiff", "webp"),
        *("flv", "mov", "mp3", "mp4", "ogg", "wav", "webm"),
        *("eot", "otf", "ttf", "woff", "woff2"),
    )
)
"""What a browser or a robot fetches beside pages. Documents (pdf, docx, zip) are not here: a download is an act."""

_REMEMBERED_PATHS = 8192


class Page(NamedTuple):
    """What a URL is: a signal's kind, or the reason to filter it, or neither where the rulebook has no kind for it."""

    kind: str | None = None
    filtered: str | None = None


def path_of(url: str) -> str:
    """``'https://acme.com/Pricing?x=1#top'`` -> ``'/pricing'``. Never fails: visits come with every sort of URL."""
    path = url.partition("#")[0].partition("?")[0]
    _, scheme, rest = path.partition("://")
    if scheme:
        path = rest[rest.find("/") :] if "/" in rest else ""
    return path.lower() or "/"


class Pages:
    """The globs of one rulebook, compiled."""

    def __init__(self, kinds: Mapping[str, Sequence[str]], ignored: Sequence[str]) -> None:
        """``kinds``: every kind of the rulebook with its globs, in the rulebook's order."""
        rules = [(ignored, Page(filtered="ignored_url")), *((globs, Page(kind=kind)) for kind, globs in kinds.items())]
        self._rules = [(re.compile("|".join(translate(glob.lower()) for glob in globs)), page) for globs, page in rules if globs]
        self._otherwise = Page(kind=DEFAULT_KIND) if DEFAULT_KIND in kinds else Page()
        self._of_path = lru_cache(_REMEMBERED_PATHS)(self._look_up)

    def look_up(self, url: str) -> Page:
        """Say what a visit's URL names."""
        return self._of_path(path_of(url))

    def _look_up(self, path: str) -> Page:
        for globs, page in self._rules:
            if globs.fullmatch(path):
                return page
        _, dot, extension = path.rpartition("/")[2].rpartition(".")
        if dot and extension in ASSET_EXTENSIONS:
            return Page(filtered="asset")
        return self._otherwise
