"""Lines as they may be kept, and as a log may show them."""

from __future__ import annotations

import pytest

from connectors.circulation.sip2.masking import masked, unsaid

NOW = "20261120    130000"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("9300CNkiosk1|COpass word|CPhall|", "9300CNkiosk1|CO****|CPhall|"),
        ("9300COpass|CNkiosk1|", "9300CO****|CNkiosk1|"),
        (f"23001{NOW}AD1234|AAc1|", f"23001{NOW}AD****|AAc1|"),
        (f"23001{NOW}AOx|AAc1|AC|AD|", f"23001{NOW}AOx|AAc1|AC|AD|"),
        ("AD1234 is my PIN", "(16 characters that are no message)"),
        ("9300CNkiosk1^COpass word^", "9300CNkiosk1^CO****^"),
        ("9300CNkiosk1^COpassword", "(23 characters that are no message)"),
    ],
)
def test_passwords_and_pins_are_not_kept(line: str, kept: str) -> None:
    assert unsaid(line) == kept


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"23001{NOW}AOlindeby|AA4500001234|AC|AD1234|", f"23001{NOW}AOlindeby|AA##########|AC|AD****|"),
        (f"24              001{NOW}AOx|AAc1|AEReader One|BLY|XCadult|", f"24              001{NOW}AOx|AAx#|AEXxxxxx Xxx|BLY|XCxxxxx|"),
        (f"101YYN{NOW}AOx|ABb1|CYc2|DAReader Two|", f"101YYN{NOW}AOx|ABb1|CYx#|DAXxxxxx Xxx|"),
        ("my card is 010190-1234", "(22 characters that are no message)"),
    ],
)
def test_a_log_shows_what_was_said_and_not_by_whom(line: str, shown: str) -> None:
    assert masked(line) == shown
