"""What an agent wrote, made fit for the public."""

from __future__ import annotations

import pytest

from hub.flow.wording import clean, personal_data


@pytest.mark.parametrize(
    "text",
    [
        "Your card 4111 1111 1111 1111 12/27 was charged",
        "Order 17 4111111111111111",
        "4111.1111.1111.1111",
        "4111  1111  1111  1111",
        "4111\u20131111\u20131111\u20131111",
        "4111\u200b1111\u200b1111\u200b1111",
        "PAN4111111111111111x",
        "378282246310005",
        "5555-5555-5555-4444",
    ],
)
def test_a_card_number_is_seen_however_it_is_written(text: str) -> None:
    """Between other numbers, with dots, blanks, dashes, hidden characters or letters around it."""
    assert personal_data(text).startswith("card")


@pytest.mark.parametrize(
    "text",
    [
        "IT60X0542811101000000123456",
        "it60 x054 2811 1010 0000 0123 456",
        "IT60-X054-2811-1010-0000-0123-456",
        "su DE89370400440532013000.",
    ],
)
def test_an_iban_is_seen_however_it_is_written(text: str) -> None:
    """Lower case, blanks and dashes hide nothing."""
    assert personal_data(text) == "IBAN"


@pytest.mark.parametrize(
    "text",
    [
        "Your order AB-123456 left on 2026-11-22 at 10:30, parcel 123456789012.",
        "Call us: +39 02 1234 5678, Mon-Fri 8:30-18:00",
        "It24 hours are enough for the refund of 1,234.56 EUR",
        "Ticket 4111 1111 1111 1112",
        "https://example.com/status/1795370635151",
    ],
)
def test_order_numbers_phones_dates_and_links_are_no_personal_data(text: str) -> None:
    """An answer is not refused for nothing."""
    assert personal_data(text) == ""


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("Hello\n\n-- \nAnna, Acme", "Hello"),
        ("Thanks!\n\nOn Mon, 2 Nov 2026 Tom wrote:\n> where is it?\n> please", "Thanks!"),
        ("Grazie!\nIl 2 nov 2026 Tom ha scritto:\n> dove?", "Grazie!"),
        ("Hi\n-----Original Message-----\nFrom: Tom\nwhere?", "Hi"),
        (
            "Do this:\n> Settings > Privacy\nand then send us a word",
            "Do this:\n> Settings > Privacy\nand then send us a word",
        ),
        (
            "Ciao\nIl corriere ci ha scritto:\nil pacco arriva domani",
            "Ciao\nIl corriere ci ha scritto:\nil pacco arriva domani",
        ),
        ("> 5 days? No, it takes three.", "> 5 days? No, it takes three."),
        ("one\n\n\n\ntwo", "one\n\ntwo"),
    ],
)
def test_only_signatures_and_quotes_at_the_end_are_cut(text: str, public: str) -> None:
    """What the agent wrote in the middle stays, whatever it looks like."""
    assert clean(text) == public
