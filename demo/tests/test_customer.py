"""The customer without a browser sends what a browser would."""

from __future__ import annotations

import pytest

from demo.customer import NotAsExpected, Page

PAGE = """
<form action="/search"><input name="q"></form>
<form method="post" action="/cart/add/">
  <input type="hidden" name="token" value="t">
  <label><input type="radio" name="item" value="1" disabled><span>S</span><span>sold out</span></label>
  <label><input type="radio" name="item" value="2"><span> M </span><span>few left</span></label>
  <label>L <input type="radio" name="item" value="3" checked></label>
  <input type="checkbox" name="gift" value="yes"><input type="checkbox" name="card" value="yes" checked>
  <select name="country"><option value="DE">Germany</option><option value="US" selected>USA</option></select>
  <select name="first"><option value="a">A</option><option value="b">B</option></select>
  <input name="quantity" value="1"><button name="do" value="add">Add</button>
</form>
"""


def test_a_form_is_read_as_a_browser_would_send_it_untouched() -> None:
    form = Page("http://shop.test/", PAGE).form("/cart/add/")

    assert form.action == "/cart/add/"
    assert form.fields == {
        "token": "t",
        "item": "3",
        "card": "yes",
        "country": "US",
        "first": "a",
        "quantity": "1",
    }


def test_a_radio_button_is_known_by_its_first_word_unless_it_is_disabled() -> None:
    form = Page("http://shop.test/", PAGE).form("/cart/add/")

    assert form.radios["item"]["M"] == "2"
    assert "S" not in form.radios["item"]


def test_a_page_without_the_form_raises() -> None:
    with pytest.raises(NotAsExpected, match="has no form that leads to /checkout/"):
        Page("http://shop.test/", PAGE).form("/checkout/")
