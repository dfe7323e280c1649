"""Greek and Cyrillic twins of Latin letters."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

CHANGES = [
    ("pаypаl", "paypal"),
    ("请登录 gооgle 查看", "请登录 google 查看"),
    ("Αmazon and Νetflix", "Amazon and Netflix"),
    ("micrоsоft.", "microsoft."),
    ("Вitcoin, Еthereum", "Bitcoin, Ethereum"),
]
KEEPS = [
    "α+β=γ, μ=3",
    "Москва и Санкт-Петербург",
    "установить Androidу и iPhoneа",
    "μm, kΩ, Δx, λ-calculus, hν",
    "α-helix βeta γray",
    "CO and СО",
    "dΕ dΑ ΔH",
    "Ωmega πthon Юnicode",
    "`pаypаl` 变量",
    "xΑ yΒ zΧ",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_changes(before: str, after: str) -> None:
    assert clean(before, "look_alikes") == after
    assert after.isascii() or "请" in after


@pytest.mark.parametrize("text", KEEPS)
def test_keeps(text: str) -> None:
    assert clean(text, "look_alikes") == text
