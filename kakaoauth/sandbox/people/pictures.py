"""The people's pictures: animals drawn by code, the same for a person at every provider."""

import hashlib
import re

#: People who are named after an animal at Kakao. Everybody else's is decided by their key.
NAMESAKES = {
    **{"haneul": "squirrel", "noemail": "otter", "unverified": "sparrow", "invalid": "raccoon", "refuses": "hedgehog"},
    **{"bigid": "whale", "under14": "squirrel", "html": "fox", "longname": "magpie", "prereg": "penguin"},
}
#: Behind the animals; each is far enough from their own colours.
GROUNDS = ("#cfe8ff", "#ffe3b8", "#d7f0d2", "#f6d5e4", "#e2dcfb", "#fff1a8")
#: Who has no picture; the address has in it by what clients know Kakao's own.
DEFAULT = "account_images/default_profile.svg"
NAME = re.compile(r"([a-z]+)-([0-9])\.svg")

_EYES = '<circle cx="37" cy="50" r="4.5" fill="#23201d"/><circle cx="63" cy="50" r="4.5" fill="#23201d"/>'
_NOSE = '<ellipse cx="50" cy="60" rx="5" ry="3.6" fill="#23201d"/>'
_BEAK = '<path d="M43 57h14l-7 10z" fill="#f2a33a"/>'


def _head(colour: str) -> str:
    return f'<circle cx="50" cy="54" r="31" fill="{colour}"/>'


def _two(shape: str) -> str:
    """A shape of the left half, and its mirror image."""
    return f'{shape}<g transform="translate(100 0) scale(-1 1)">{shape}</g>'


def _round_ears(colour: str, inner: str, radius: int = 10) -> str:
    return _two(
        f'<circle cx="27" cy="28" r="{radius}" fill="{colour}"/>'
        f'<circle cx="27" cy="28" r="{radius / 2:g}" fill="{inner}"/>'
    )


def _pointed_ears(colour: str, inner: str) -> str:
    return _two(f'<path d="M21 47V14l25 13z" fill="{colour}"/><path d="M26 37V22l12 7z" fill="{inner}"/>')


def _muzzle(colour: str) -> str:
    return f'<ellipse cx="50" cy="66" rx="17" ry="13" fill="{colour}"/>'


_WHISKERS = _two('<path d="M31 62H16m15 5-14 4" stroke="#23201d" stroke-width="1.6" fill="none"/>')
_SPINES = (
    '<path d="M50 10l8 9 10-6 2 11 12-1-2 12 11 4-6 10 9 8-10 7H16L6 57l9-8-6-10 11-4-2-12 12 1 2-11 10 6z" '
    'fill="#7a5a44"/>'
)
_CHEEKS = _two('<circle cx="28" cy="64" r="6" fill="#ff9d9d" opacity=".55"/>')

#: What is drawn on the ground of 100 by 100.
ANIMALS = {
    "bear": _round_ears("#8a5a3c", "#c99a74", 12) + _head("#8a5a3c") + _muzzle("#e3c3a0") + _EYES + _NOSE,
    "cat": _pointed_ears("#f0a14e", "#ffd4a3") + _head("#f0a14e") + _muzzle("#fff3e2") + _EYES + _NOSE + _WHISKERS,
    "crane": _head("#fdfdfd") + '<path d="M27 37a27 27 0 0 1 46 0z" fill="#d8433b"/>' + _EYES + _BEAK,
    "fox": _pointed_ears("#e2703a", "#3d2a22")
    + _head("#e2703a")
    + '<path d="M20 58q15 4 30 26Q65 62 80 58a30 30 0 0 1-60 0z" fill="#fff6ec"/>'
    + _EYES
    + '<ellipse cx="50" cy="72" rx="5" ry="3.6" fill="#23201d"/>',
    "frog": _two('<circle cx="32" cy="29" r="12" fill="#6fb35a"/><circle cx="32" cy="28" r="6" fill="#fff"/>')
    + _head("#6fb35a")
    + _two('<circle cx="32" cy="28" r="3.4" fill="#23201d"/>')
    + '<path d="M32 62q18 14 36 0" stroke="#2f5a22" stroke-width="3" fill="none" stroke-linecap="round"/>'
    + _CHEEKS,
    "hedgehog": _SPINES + '<circle cx="50" cy="58" r="24" fill="#f0d2ae"/>' + _EYES + _NOSE + _CHEEKS,
    "magpie": _head("#2b3440")
    + '<path d="M24 70a31 31 0 0 0 52 0Q50 52 24 70z" fill="#fff"/>'
    + _two('<circle cx="37" cy="48" r="7" fill="#fff"/><circle cx="37" cy="48" r="4" fill="#23201d"/>')
    + '<path d="M43 55h14l-7 11z" fill="#55606c"/>',
    "otter": _round_ears("#7c5b45", "#a98569", 7) + _head("#7c5b45") + _muzzle("#e8d3bd") + _EYES + _NOSE + _WHISKERS,
    "penguin": _head("#34414f")
    + _two('<ellipse cx="39" cy="55" rx="14" ry="19" fill="#fff"/>')
    + _EYES
    + _BEAK
    + _CHEEKS,
    "rabbit": _two(
        '<ellipse cx="36" cy="21" rx="9" ry="20" fill="#f4efe9"/>'
        '<ellipse cx="36" cy="22" rx="4" ry="14" fill="#f4b6c2"/>'
    )
    + _head("#f4efe9")
    + _EYES
    + '<ellipse cx="50" cy="60" rx="4" ry="3" fill="#d9788c"/>'
    + _CHEEKS,
    "raccoon": _round_ears("#8b8f96", "#4b4f57")
    + _head("#b5b9c0")
    + _two(
        '<path d="M22 47q14-9 24 2-2 11-13 12-9-4-11-14z" fill="#3d4148"/><circle cx="37" cy="50" r="5" fill="#fff"/>'
    )
    + _muzzle("#f1f2f4")
    + _two('<circle cx="37" cy="50" r="3" fill="#23201d"/>')
    + _NOSE,
    "sparrow": _head("#b07a4b")
    + '<path d="M24 70a31 31 0 0 0 52 0Q50 54 24 70z" fill="#f4e2cb"/>'
    + _EYES
    + _CHEEKS
    + _BEAK,
    "squirrel": _two('<path d="M22 40V15l18 13z" fill="#a8653a"/>')
    + _head("#a8653a")
    + '<path d="M50 23v20M40 25l3 17m17-17-3 17" stroke="#6d3d20" stroke-width="4" stroke-linecap="round"/>'
    + _muzzle("#f6dfc4")
    + _EYES
    + _NOSE
    + _CHEEKS,
    "whale": '<path d="M50 22q-3-12-13-11m13 11q3-12 13-11" stroke="#6fb7e6" stroke-width="4" fill="none"/>'
    + _head("#3f7fb5")
    + '<path d="M20 62a31 31 0 0 0 60 0Q50 76 20 62z" fill="#e9f3fa"/>'
    + _two('<circle cx="33" cy="52" r="4" fill="#14212c"/>')
    + _CHEEKS,
}


def picture_of(key: str) -> str:
    """Return the file name of a person's picture: the same at every provider, and for as long as they are there."""
    digest = hashlib.sha256(key.encode()).digest()
    animals = sorted(ANIMALS)
    return f"{NAMESAKES.get(key, animals[digest[0] % len(animals)])}-{digest[1] % len(GROUNDS)}.svg"


def draw(name: str) -> str | None:
    """Return an SVG image by its file name; None: there is none of that name."""
    if name == DEFAULT:
        person = '<circle cx="50" cy="40" r="17" fill="#fff"/><path d="M16 100a34 34 0 0 1 68 0z" fill="#fff"/>'
        return _svg("#b9c4cf", person)
    found = NAME.fullmatch(name)
    if found is None or found[1] not in ANIMALS or int(found[2]) >= len(GROUNDS):
        return None
    return _svg(GROUNDS[int(found[2])], ANIMALS[found[1]])


def _svg(ground: str, shapes: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" width="640" height="640">'
        f'<rect width="100" height="100" fill="{ground}"/>{shapes}</svg>'
    )
