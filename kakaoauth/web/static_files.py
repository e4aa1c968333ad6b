"""Our style sheets, scripts and pictures, each with a fingerprint of its content in its name: browsers keep them for a
year, and still get every change at once."""

import gzip
import mimetypes
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from flask import Response, abort, request, send_file

from kakaoauth.web.addresses import path_to

FOLDER = Path(__file__).resolve().parents[1] / "static"
#: `style.css` becomes `style.3f2a9c1b.css`. 32 bits: names are compared with their own file's past only.
FINGERPRINT_LENGTH = 8
YEAR = 365 * 86400
#: For a fingerprint that is not today's. While servers are updated one by one, a page of the newer one may ask the
#: older one: it gets what there is, and asks again soon.
SHORT = 60


class Files(NamedTuple):
    """Names with a fingerprint by plain name, and the other way round."""

    current: dict[str, str]
    plain: dict[str, str]


@cache
def _files() -> Files:
    current = {}
    for path in FOLDER.rglob("*"):
        if path.is_file():
            name = path.relative_to(FOLDER)
            digest = sha256(path.read_bytes()).hexdigest()[:FINGERPRINT_LENGTH]
            current[name.as_posix()] = name.with_name(f"{name.stem}.{digest}{name.suffix}").as_posix()
    return Files(current, {marked: name for name, marked in current.items()})


def static_url(name: str) -> str:
    """Return the address of a file in `kakaoauth/static/`. :raises KeyError: there is no such file."""
    return path_to("kakaoauth.files.static", name=_files().current[name])


def serve(name: str) -> Response:
    """Send a file by its name with a fingerprint, for a year. With another fingerprint or none: today's file, for a
    minute. Only names that were there at start are known, so no path leads out of the folder.
    """
    files = _files()
    found = files.plain.get(name)
    seconds = YEAR if found else SHORT
    found = found or (name if name in files.current else _without_fingerprint(name))
    if found not in files.current:
        abort(404)
    return send(FOLDER / found, seconds, is_immutable=seconds == YEAR)


def send(path: Path, seconds: int, *, is_immutable: bool) -> Response:
    """Send a file that is the same for everybody, compressed where the browser takes that and it pays.

    Only such files are: a page's length would tell of its CSRF token (BREACH, CVE-2013-3587).

    :param seconds: how long browsers keep it. :param is_immutable: another content has another address.
    """
    compressed = _compressed(path) if request.accept_encodings["gzip"] > 0 and "Range" not in request.headers else None
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if compressed:
        response = send_file(BytesIO(compressed.data), mimetype=kind, max_age=seconds, etag=compressed.etag)
        response.headers["Content-Encoding"] = "gzip"
    else:
        response = send_file(path, mimetype=kind, max_age=seconds)
    response.vary.add("Accept-Encoding")
    response.cache_control.public = True
    if is_immutable:
        response.cache_control.immutable = True
    return response


class Compressed(NamedTuple):
    data: bytes
    etag: str


@cache
def _compressed(path: Path) -> Compressed | None:
    """The content compressed, once in a process; None where that saves nothing, as for pictures."""
    plain = path.read_bytes()
    compressed = gzip.compress(plain, mtime=0)
    if len(compressed) > 0.9 * len(plain):
        return None
    return Compressed(compressed, f"{sha256(compressed).hexdigest()[:32]}-gzip")


def _without_fingerprint(name: str) -> str:
    """`style.0a1b2c3d.css` is `style.css`."""
    start, _, suffix = name.rpartition(".")
    stem, _, mark = start.rpartition(".")
    is_fingerprint = len(mark) == FINGERPRINT_LENGTH and set(mark) <= set("0123456789abcdef")
    return f"{stem}.{suffix}" if is_fingerprint else name
