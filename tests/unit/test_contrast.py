"""The client's colours against WCAG 2.2 AA, in both themes. Read from where they stand: static/styles/base.css."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

BASE_CSS = Path(__file__).parents[2] / "static" / "styles" / "base.css"
TEXT_MIN_RATIO = 4.5
"""Success criterion 1.4.3, for text of the usual size."""
SHAPE_MIN_RATIO = 3.0
"""Success criterion 1.4.11, for what is no text but has a meaning: edges of fields, the dot of who is online."""

GROUNDS = ("bg", "surface", "surface-raised", "hover")
TEXT_ON = {
    "text": (*GROUNDS, "rail", "active", "accent-soft", "warning-soft", "danger-soft", "success-soft", "other"),
    "text-muted": (*GROUNDS, "rail", "active", "accent-soft", "warning-soft", "other"),
    "accent": (*GROUNDS, "active", "accent-soft", "other"),
    "accent-text": ("accent", "accent-hover"),
    "own-text": ("own",),
    "own-muted": ("own",),
    "danger": (*GROUNDS, "active", "danger-soft", "other"),
    "danger-text": ("danger", "danger-hover"),
    "success": (*GROUNDS, "success-soft"),
    "warning": (*GROUNDS, "warning-soft"),
}
SHAPES_ON = {
    "border-strong": ("bg", "surface", "surface-raised"),
    "accent": (*GROUNDS, "rail", "own", "active"),
    "online": ("bg", "surface", "surface-raised", "hover", "active"),
}
THEMES = ("light", "dark")

Rgb = tuple[float, float, float]


def _rgb(text: str) -> Rgb:
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _colors() -> dict[str, tuple[Rgb, Rgb]]:
    css = BASE_CSS.read_text()
    pairs = re.findall(r"--color-([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", css)
    return {name: (_rgb(light), _rgb(dark)) for name, light, dark in pairs}


def _luminance(color: Rgb) -> float:
    """Relative luminance. Source: WCAG 2.2, its glossary."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _ratio(one: Rgb, other: Rgb) -> float:
    """Contrast ratio, 1 to 21. Source: WCAG 2.2, its glossary."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _pairs(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(color, ground) for color, grounds in table.items() for ground in grounds]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("color", "ground"), _pairs(TEXT_ON))
def test_text_can_be_read(color: str, ground: str, theme: str) -> None:
    colors = _colors()
    at = THEMES.index(theme)
    assert _ratio(colors[color][at], colors[ground][at]) >= TEXT_MIN_RATIO


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("color", "ground"), _pairs(SHAPES_ON))
def test_shapes_can_be_seen(color: str, ground: str, theme: str) -> None:
    colors = _colors()
    at = THEMES.index(theme)
    assert _ratio(colors[color][at], colors[ground][at]) >= SHAPE_MIN_RATIO


def test_initials_can_be_read_on_all_grounds_of_avatars() -> None:
    css = BASE_CSS.read_text()
    grounds = re.findall(r"--avatar-\d: (#[0-9a-f]{6});", css)
    (text,) = re.findall(r"--avatar-text: (#[0-9a-f]{6});", css)
    assert len(grounds) == 8
    assert all(_ratio(_rgb(text), _rgb(ground)) >= TEXT_MIN_RATIO for ground in grounds)
