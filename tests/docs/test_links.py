"""Every relative link of every document leads to something that exists."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from tests.docs.pages import REPOSITORY, all_pages, anchors, links


@pytest.mark.parametrize("page", all_pages())
def test_links_lead_somewhere(page: str) -> None:
    assert [link for link in links(page) if not leads_somewhere(page, link)] == []


def leads_somewhere(page: str, link: str) -> bool:
    """Addresses of the web are believed."""
    if link.startswith(("http:", "https:", "mailto:")):
        return True
    path, _, anchor = unquote(link).partition("#")
    target = (REPOSITORY / page).parent / path if path else REPOSITORY / page
    if not target.exists() or REPOSITORY not in target.resolve().parents:
        return False
    return not anchor or (target.suffix == ".md" and anchor in anchors(target))
