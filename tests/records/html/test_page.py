"""The mechanism of all pages, on templates made here."""

import jinja2
import pytest
from markupsafe import Markup

from records.html.page import Page, csp_hash, environment

EVIL = "<script>alert(1)</script> \"&' {{ 7 * 7 }}"


def render(source: str, **values) -> str:
    source = '{% import "macros.html" as draw %}' + source
    return environment("records.html").from_string(source).render(values)


def test_whatever_a_template_prints_is_escaped():
    drawn = render(
        """
        {{ evil }} <b title="{{ evil }}"></b>
        {{ draw.table([evil], [[evil, evil]]) }}
        {{ draw.facts({evil: [evil, {evil: evil}]}) }}
        {% call(row) draw.bars([(evil, 2)]) %}{{ row[0] }}{% endcall %}
        {% call(text) draw.first_five([evil] * 6, evil) %}{{ text }}{% endcall %}
        {% call draw.panel(evil) %}{{ evil }}{% endcall %}
        {{ draw.photo(none, evil) }}
        """,
        evil=EVIL,
    )
    assert "<script" not in drawn and "49" not in drawn
    assert drawn.count(str(Markup.escape(EVIL))) >= 15


def test_a_name_that_is_missing_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="absent"):
        render("{{ absent }}")


@pytest.mark.parametrize("number", [5, 6, 7])
def test_five_items_are_seen_and_the_others_on_request(number):
    items = [f"<{i}>" for i in range(number)]
    drawn = render(
        "{% call(text) draw.first_five(items, 'caption') %}{{ text }}{% endcall %}",
        items=items,
    )
    seen, _, hidden = drawn.partition("<details>")
    assert seen.count("<li>") == 5 and hidden.count("<li>") == number - 5
    assert (f"Show all {number} captions" in hidden) == (number > 5)


def test_numbers_agree_with_their_nouns():
    drawn = render("{{ draw.bold(1, 'photo') }}; {{ draw.bold(2000, 'photo') }}")
    assert drawn == "<b>1</b> photo; <b>2,000</b> photos"


def test_a_page_without_a_script_has_none_and_names_no_source():
    text = Page("records.html", "base.html").render(title=EVIL)
    assert "<script" not in text and "script-src" not in text
    assert "default-src 'none'" in text and "font: 1rem" in text


def test_the_digest_of_a_script():
    expected = "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"
    assert csp_hash("alert(1)") == expected
