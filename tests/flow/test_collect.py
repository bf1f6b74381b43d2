"""What customers wrote already is found in their texts, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.configuration import Category, CategoryField, load
from hub.flow.collect import find_fields, missing_fields

CATEGORIES = load(Path(__file__).parents[2] / "config", {}).categories


@pytest.mark.parametrize(
    ("category", "text", "found"),
    [
        ("billing", "You charged me twice for invoice 2026/004711.", {"invoice_number": "2026/004711"}),
        ("billing", "Fattura n.2026/004711: addebito doppio", {"invoice_number": "2026/004711"}),
        ("billing", "Charged twice for AB-123456!", {"invoice_number": "AB-123456"}),
        ("billing", "Mi avete addebitato 1.234,56 € il 12/03/2026, carta 4539 1488 0343 6467", {}),
        ("billing", "Pagato il 2026/03/12, 2026-03-12 e 12.03.2026", {}),
        ("billing", "You charged me twice for the same thing, 49.90 on 2026/12", {}),
        ("delivery", "Il mio pacco AB-123456 è in ritardo", {"order_number": "AB-123456"}),
        ("delivery", "Where is it?(AB-123456)", {"order_number": "AB-123456"}),
        ("delivery", "Chiamatemi al 333 1112223 o 333111222, CAP 20121", {}),
        ("delivery", "Call me at 333111 or +39-333-111222, please", {}),
        ("delivery", "Il mio ordine non è arrivato, costava 120000", {}),
        ("delivery", "see https://shop.example/AB-123456 or XAB-123456 or AB-1234567 or AB-123456-9", {}),
        ("delivery", "ab-123456", {}),
        ("product", "La Moka 3 dell'ordine AB-123456, perde", {"order_number": "AB-123456"}),
        ("account", "Mine is maya@example.com, help", {"account_email": "maya@example.com"}),
        (
            "account",
            "Scrivetemi (anna.rossi+shop@mail.example.it).",
            {"account_email": "anna.rossi+shop@mail.example.it"},
        ),
        ("account", "@acme@social.example and @anna.b@social.example, I cannot log in at acme@home", {}),
        ("other", "AB-123456 maya@example.com", {}),
    ],
)
def test_the_shipped_categories_find_what_is_there(category: str, text: str, found: dict[str, str]) -> None:
    """Order and invoice numbers and e-mail addresses are found; telephone numbers, prices and dates are not."""
    assert find_fields(CATEGORIES[category], text, {}) == found


def test_only_what_says_how_it_looks_is_found() -> None:
    """A pattern alone takes nothing from a text; with both, what is found must match the pattern too."""
    loose = CategoryField(name="loose", purpose="p", pattern="[0-9 ]+")
    strict = CategoryField(name="strict", purpose="p", pattern="[0-9]*7", find="[0-9]{3}")
    folded = CategoryField(name="folded", purpose="p", find="(?i)ab[0-9]")
    category = Category(name="c", fields=(loose, strict, folded))
    assert find_fields(category, "123 and 457, aB1", {}) == {"strict": "457", "folded": "aB1"}


def test_what_is_known_stays_and_the_rest_is_missing() -> None:
    """A later text does not overwrite; what nobody knows is missing."""
    delivery = CATEGORIES["delivery"]
    known = find_fields(delivery, "now AB-999999", {"order_number": "AB-123456"})
    assert known == {"order_number": "AB-123456"}
    assert missing_fields(delivery, known) == ["postcode"]
