"""More partners than anybody reads: the worst first, page by page, none left out, found by name."""

import re
from urllib.parse import quote, urlencode

from hub.overview import model
from hub.web.pages.fleet import LINES_MAX
from tests.unit.hub_web.looking import Looking
from tests.unit.hub_web.made_up import MadeUp

COUNT = 2 * LINES_MAX + 30
_SHOWN = re.compile(r'id="partner-(xa-[a-z0-9]+)"')


class Long(MadeUp):
    """Two hundred and thirty partners."""

    def fleet(self) -> model.FleetView:
        made = super().fleet()
        line = made.partners[0]
        lines = [
            line.model_copy(
                update={"partner": f"xa-n{n:04}", "names": {"en": f"Agency {n}", "lo": f"ອົງການ {n}"}}
            )
            for n in range(COUNT)
        ]
        return made.model_copy(update={"partners": tuple(lines)})


def shown(address: str) -> list[str]:
    return _SHOWN.findall(Looking(Long()).ask(address).text)


def test_every_partner_stands_on_one_of_the_pages_in_order() -> None:
    address, found = "/", list[str]()
    while True:
        text = Looking(Long()).ask(address).text
        found += _SHOWN.findall(text)
        following = re.search(r'href="([^"]+)" rel="next"', text)
        if following is None:
            break
        address = following[1].replace("&amp;", "&")
    assert found == [f"xa-n{n:04}" for n in range(COUNT)]


def test_the_page_says_that_it_shows_a_part() -> None:
    assert f"1 to {LINES_MAX} of {COUNT} are shown" in Looking(Long()).ask("/").text
    assert "are shown" not in Looking().ask("/").text, "eleven partners need no pages"


def test_a_partner_is_found_by_a_word_of_its_name_in_any_script() -> None:
    assert shown(f"/?{urlencode({'text': 'ອົງການ 17'})}")[:1] == ["xa-n0017"]
    assert shown("/?text=n0229") == ["xa-n0229"]
    assert "No partner matches." in Looking(Long()).ask("/?text=nobody").text


def test_a_place_that_is_none_is_the_first() -> None:
    for after in ("-5", "x", "9" * 30, "١٢"):
        assert shown(f"/?after={quote(after)}")[:1] == ["xa-n0000"]
