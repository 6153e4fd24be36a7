"""English and Japanese pages tell the same: the same commands, the same answers."""

from __future__ import annotations

import pytest

from tests.docs.pages import ENGLISH, REPOSITORY, blocks, commands, japanese

TRANSLATED = [page for page in ENGLISH if page != "docs/images/README.md"]


@pytest.mark.parametrize("page", TRANSLATED)
def test_both_languages_name_the_same_commands(page: str) -> None:
    assert commands(japanese(page)) == commands(page)


@pytest.mark.parametrize("page", TRANSLATED)
def test_both_languages_show_the_same_answers(page: str) -> None:
    assert shown(japanese(page)) == shown(page)


def shown(page: str) -> list[tuple[str, str, str]]:
    """Everything in fences but commands: settings, answers, code."""
    return [(one.language, one.text, one.mark) for one in blocks(page) if one.language != "bash"]


def test_no_japanese_page_is_left_over() -> None:
    pages = {str(page.relative_to(REPOSITORY)) for page in (REPOSITORY / "docs" / "ja").rglob("*.md")}
    assert pages == {japanese(page) for page in TRANSLATED} - {"README.ja.md"}
