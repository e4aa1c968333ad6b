"""How a session is written in Redis: JSON with short names, deflated with a dictionary of what is in most of them.

What an older version has written, plain JSON with the names of `sessions.data`, is read as well.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from kakaoauth.sessions import host_data
from kakaoauth.sessions.csrf_tokens import FIELD, FROM_ID, csrf_secret
from kakaoauth.sessions.data import LAST_TIME, is_ours

#: What is written begins with this; plain JSON begins with a brace.
MARK = b"\x01"
#: Bytes of a session, inflated, that are read at most.
MOST = 1024 * 1024
#: Names as they are written. A host's names are within one value, so none of them is like these.
SHORT = {
    "_user_id": "u",
    "_token": "t",
    "_begun": "b",
    "_confirmed": "c",
    "_seen": "e",
    "_agent": "a",
    "_address": "n",
    "_staff": "r",
    "_draft": "d",
    "_logout_state": "o",
    "finished_logins": "f",
    "finished_with_tokens": "w",
    host_data.STORED: "h",
}
LONG = {short: name for name, short in SHORT.items()}
#: For a CSRF token that is made from the session's id, and for a login that Flask-Login calls fresh.
DERIVED, FRESH = "k", "y"
#: Never change it: what is stored could not be read any more. The most common comes last.
DICTIONARY = (
    b'"link_to":""confirms":"consent":"account_email""mode":"jwt"/users/me/confirm//users/facebook_naver_google_apple_'
    b'https://localhost:8000/auth/kakao/login/callback/"},"exp":17960"_state_kakao_":{"data":{"client_id":"'
    b'","redirect_uri":"https://","nonce":"","code_verifier":"","next":"/"},"exp":179'
    b" Version/18.5 Mobile/15E148 Safari/604.1 Firefox/140.0 Gecko/20100101 SamsungBrowser/28.0 Whale/4.3 KAKAOTALK"
    b"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    b"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36"
    b"Mozilla/5.0 (X11; Linux x86_64) (Macintosh; Intel Mac OS X 10_15_7) (Windows NT 10.0; Win64; x64)"
    b" AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0"
    b'{"r":true,"w":{"","n":"192.168.127.0.0.x","a":"Mozilla/5.0 (","f":{":"/"},"k":0,"c":0,"e":0,"b":179,"t":,"u":".0"'
)


def plain(data: Mapping[str, Any], sid: str) -> bytes:
    """Return the JSON of a session's data. :param sid: its id; empty while it has none."""
    left = host_data.pack(data)
    left.pop("_id", None)  # Flask-Login's, for a check that is switched off
    found: dict[str, Any] = {}
    if "_user_id" in left and left.get("_fresh") is True:
        del left["_fresh"]
        found[FRESH] = 1
    if sid and FIELD in left and (left[FIELD] == FROM_ID or left[FIELD] == csrf_secret(sid)):
        del left[FIELD]
        found[DERIVED] = 0
    begun = _tenths(left.get("_begun"))
    if begun is not None:
        found["b"] = begun
        del left["_begun"]
        for name in ("_confirmed", "_seen"):
            moment = _tenths(left.get(name))
            if moment is not None:
                found[SHORT[name]] = moment - begun
                del left[name]
    for name, value in left.items():
        is_odd_time = name in ("_begun", "_confirmed", "_seen")
        found[name if is_odd_time else SHORT.get(name, name)] = value
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def squeeze(text: bytes) -> bytes:
    """Return what stands in Redis. :param text: from `plain`."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -12, 4, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    return MARK + deflate.compress(text) + deflate.flush()


def stretch(raw: bytes) -> bytes:
    """Undo `squeeze`; what an older version has written is its own. :raises ValueError: nothing of ours."""
    if not raw.startswith(MARK):
        return raw
    inflate = zlib.decompressobj(-12, DICTIONARY)
    try:
        text = inflate.decompress(raw[1:], MOST)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflate.eof:
        raise ValueError("too long, or cut off")
    return text


def read(text: bytes, sid: str, *, is_former: bool) -> dict[str, Any]:
    """Undo `plain`. :param is_former: an older version has written it. :raises ValueError, TypeError: we did not."""
    try:
        found = json.loads(text) if is_former else msgspec.json.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except msgspec.DecodeError as error:  # which is no ValueError in older versions
        raise ValueError(str(error)) from None
    if not isinstance(found, dict):
        raise ValueError("no object")
    data = found if is_former else _long(found, sid)
    if not is_ours(data):
        raise ValueError("other types than ours")
    return host_data.unpack(data)


def _long(found: dict[str, Any], sid: str) -> dict[str, Any]:
    data: dict[str, Any] = {}
    begun = found.pop("b", None)
    if begun is not None:
        data["_begun"] = begun / 10
        for name in ("_confirmed", "_seen"):
            if SHORT[name] in found:
                data[name] = (begun + found.pop(SHORT[name])) / 10
    if found.pop(FRESH, None) is not None:
        data["_fresh"] = True
    if found.pop(DERIVED, None) is not None and sid:
        data[FIELD] = FROM_ID
    for name, value in found.items():
        data[LONG.get(name, name)] = value
    return data


def _tenths(moment: object) -> int | None:
    """A moment in tenths of a second; None where that is not exactly what it is."""
    if not isinstance(moment, int | float) or not 0 <= moment < LAST_TIME:
        return None
    tenths = round(moment * 10)
    return tenths if tenths / 10 == moment else None
