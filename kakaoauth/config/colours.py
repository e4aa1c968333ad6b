"""An owner's accent colour, as our style sheet needs it in light and in dark. Contrast is WCAG 2.2's."""

import re
from typing import NamedTuple

HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
#: The cards and the page in light and dark, as in style.css.
LIGHT_GROUNDS, DARK_GROUNDS = ("#ffffff", "#f2f4f6"), ("#1b1e23", "#101215", "#292d34")
#: WCAG 1.4.3 asks 4.5 of text; a little more, since some of it stands on a tinted ground.
TEXT = 5.2
#: WCAG 1.4.3, for the label of a button.
LABEL = 4.5
#: A button of fewer could not be told from the card it stands on. Kakao's yellow on white has 1.27.
SEEN = 1.15
BLACK, WHITE = "#000000", "#ffffff"
#: From here on a white label is what people expect on a colour; what is missing is taken from the colour's lightness.
NEARLY = 3.0

Rgb = tuple[float, float, float]


class Accent(NamedTuple):
    """Colours for one scheme: of links, of buttons, and of their labels."""

    accent: str
    fill: str
    on_fill: str


def read(text: str) -> str:
    """Return `#abc` or `#aabbcc` as `#aabbcc`. :raises ValueError: it is neither."""
    if not HEX.fullmatch(text):
        raise ValueError("no colour")
    digits = text[1:].lower()
    return "#" + ("".join(2 * digit for digit in digits) if len(digits) == 3 else digits)


def light(colour: str) -> Accent:
    """Return what to use in light: buttons in the colour itself, or one a white label can be read on; links as dark as
    text has to be.

    :raises ValueError: so pale that a button would not be seen.
    """
    if contrast(colour, LIGHT_GROUNDS[0]) < SEEN:
        raise ValueError("too pale")
    fill, on_fill = _labelled(colour)
    return Accent(_until(colour, LIGHT_GROUNDS, TEXT, towards=0), fill, on_fill)


def dark(colour: str) -> Accent:
    """Return what to use in dark: a button stands out from a dark card by 3 to 1 (WCAG 1.4.11)."""
    fill, on_fill = _labelled(_until(colour, DARK_GROUNDS[:1], 3.0, towards=255))
    return Accent(_until(colour, DARK_GROUNDS, TEXT, towards=255), fill, on_fill)


def _labelled(colour: str) -> tuple[str, str]:
    """Return a button's colour and its label's."""
    if contrast(WHITE, colour) < NEARLY:
        return colour, BLACK
    return _until(colour, (WHITE,), LABEL, towards=0), WHITE


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21."""
    lighter, darker = sorted((_luminance(_rgb(one)), _luminance(_rgb(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _until(colour: str, grounds: tuple[str, ...], wanted: float, *, towards: int) -> str:
    """Mix with black (0) or white (255), a hundredth at a time, until it has the contrast to all grounds."""
    start = _rgb(colour)
    for share in range(101):
        mixed = _hex(tuple(part + (towards - part) * share / 100 for part in start))
        if all(contrast(mixed, ground) >= wanted for ground in grounds):
            break
    return mixed


def _rgb(colour: str) -> Rgb:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))  # type: ignore[return-value]


def _hex(parts: tuple[float, ...]) -> str:
    return "#" + "".join(f"{round(part):02x}" for part in parts)


def _luminance(parts: Rgb) -> float:
    linear = [part / 255 / 12.92 if part <= 10.03 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
