"""A provider that answers as Kakao does, over TLS, in well under a millisecond: what is measured are its clients.

    python benchmarks/peers/provider.py PORT CERTIFICATE

It keeps nothing. A code says whom it stands for and whether an id_token comes with the tokens, see `code_for`; an
access token says whom it is about. CERTIFICATE is a file with a certificate and its key.
"""

import asyncio
import json
import secrets
import ssl
import sys
import time
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "benchmark-rest-api-key"
CLIENT_SECRET = "benchmark-secret"
KEY = RSAKey.generate_key(2048, parameters={"kid": "benchmark", "use": "sig", "alg": "RS256"}, auto_kid=False)
#: Kakao's ids have ten digits.
FIRST_ID = 4_000_000_000
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}


def code_for(person: int, nonce: str = "", *, with_id_token: bool = False) -> str:
    """Return a code as Kakao's authorize page would hand it out."""
    return f"{person}.{int(with_id_token)}.{nonce}.{secrets.token_hex(16)}"


def email_of(person: int) -> str:
    return f"person{person}@example.com"


def nickname_of(person: int) -> str:
    return f"사람 {person}"


def tokens(form: dict[str, str], issuer: str) -> tuple[int, object]:
    if form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
        return 401, {"error": "invalid_client", "error_code": "KOE010"}
    person, with_id_token, nonce, *_ = form["code"].split(".")
    answer = {
        "token_type": "bearer",
        "access_token": f"{person}.{secrets.token_hex(24)}",
        "expires_in": 21599,
        "refresh_token": secrets.token_hex(28),
        "refresh_token_expires_in": 5183999,
        "scope": "account_email profile_image profile_nickname",
    }
    if with_id_token == "1":
        answer["scope"] = f"openid {answer['scope']}"
        answer["id_token"] = id_token(int(person), nonce, issuer)
    return 200, answer


def id_token(person: int, nonce: str, issuer: str) -> str:
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": CLIENT_ID,
        "sub": str(FIRST_ID + person),
        "iat": now,
        "auth_time": now,
        "exp": now + 21599,
        "nonce": nonce,
        "nickname": nickname_of(person),
        "picture": "https://img.example.com/picture.jpg",
        "email": email_of(person),
    }
    return jwt.encode({"alg": "RS256", "kid": "benchmark"}, claims, KEY)


def profile(authorization: str) -> tuple[int, object]:
    number = authorization.removeprefix("Bearer ").partition(".")[0]
    if not number.isdigit():
        return 401, {"msg": "this access token does not exist", "code": -401}
    person = int(number)
    shown = {
        "nickname": nickname_of(person),
        "thumbnail_image_url": "https://img.example.com/small.jpg",
        "profile_image_url": "https://img.example.com/picture.jpg",
        "is_default_image": False,
    }
    account = {
        "profile_nickname_needs_agreement": False,
        "profile_image_needs_agreement": False,
        "profile": shown,
        "has_email": True,
        "email_needs_agreement": False,
        "is_email_valid": True,
        "is_email_verified": True,
        "email": email_of(person),
    }
    properties = {"nickname": nickname_of(person), "profile_image": shown["profile_image_url"]}
    return 200, {
        "id": FIRST_ID + person,
        "connected_at": "2026-01-01T00:00:00Z",
        "properties": properties,
        "kakao_account": account,
    }


def answer(method: str, path: str, headers: dict[str, str], body: str) -> tuple[int, object]:
    if (method, path) == ("POST", "/oauth/token"):
        form = {name: values[0] for name, values in parse_qs(body).items()}
        return tokens(form, f"https://{headers['host']}")
    if path == "/v2/user/me":
        return profile(headers.get("authorization", ""))
    if path == "/.well-known/jwks.json":
        return 200, {"keys": [KEY.as_dict(private=False)]}
    return 404, {"msg": "not found", "code": -404}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _version = head[0].split(" ")
            fields = [line.partition(":") for line in head[1:] if line]
            headers = {name.lower(): value.strip() for name, _, value in fields}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            status, content = answer(method, target.partition("?")[0], headers, body.decode())
            data = json.dumps(content).encode()
            lines = (
                f"HTTP/1.1 {status} {REASONS[status]}",
                "Content-Type: application/json;charset=UTF-8",
                f"Content-Length: {len(data)}",
            )
            writer.write("\r\n".join((*lines, "", "")).encode() + data)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
