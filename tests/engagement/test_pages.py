"""A URL names a kind by the rulebook's globs, or a reason to filter the visit."""

import pytest

from engagement.pages import Page, Pages, path_of

PAGES = Pages({"page": [], "pricing": ["/pricing*", "*/plans"], "price_list": ["/pricing/list"], "video": ["*.mp4"]}, ["/careers*"])


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://x.example/Pricing?a=/b#c", "/pricing"),
        ("//odd", "//odd"),
        ("/a#b?c", "/a"),
        ("/a?next=https://b.example/c", "/a"),
        ("https://x.example", "/"),
        ("https://[", "/"),
        ("", "/"),
    ],
)
def test_a_path_is_what_stands_between_host_and_query(url: str, path: str) -> None:
    assert path_of(url) == path


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("/blog", Page(kind="page")),
        ("", Page(kind="page")),
        ("/pricing", Page(kind="pricing")),
        ("/pricing/list", Page(kind="pricing")),  # the earlier kind wins
        ("/en/plans", Page(kind="pricing")),
        ("/en/pricing", Page(kind="page")),  # a glob is the whole path
        ("/careers/pricing.css", Page(filtered="ignored_url")),
        ("/a/logo.SVG", Page(filtered="asset")),
        ("/a/intro.mp4", Page(kind="video")),  # a kind may claim an asset
        ("/whitepaper.pdf", Page(kind="page")),
        ("/v1.2/js", Page(kind="page")),
    ],
)
def test_the_first_rule_that_matches_wins(url: str, page: Page) -> None:
    assert PAGES.look_up(url) == page


def test_without_a_kind_page_other_pages_have_none() -> None:
    assert Pages({"pricing": ["/pricing*"]}, []).look_up("/blog") == Page()
