"""How an answer travels: whole and at once, or late, byte by byte, and not to its end."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from io import BufferedIOBase

ENVIRON_KEY = "kakaoauth.sandbox.transport"


@dataclass
class Transport:
    """What the app asks of the server for one answer. Another server than ours does not look at it."""

    delay_ms: int = 0
    drip_ms: int = 0
    cut: str = ""  # before_headers, after_headers, in_body
    stream: bool = False  # the body is too large to be collected first

    def send(self, head: bytes, body: Iterable[bytes], out: BufferedIOBase) -> bool:
        """Write the answer; False: the connection is to be closed."""
        if self.delay_ms:
            time.sleep(self.delay_ms / 1000)
        if self.cut == "before_headers":
            return False
        self._write(head, out)
        if self.cut == "after_headers":
            return False
        for part in body:
            self._write(part[: len(part) // 2] if self.cut else part, out)
            if self.cut:
                return False
        return True

    def _write(self, content: bytes, out: BufferedIOBase) -> None:
        if not self.drip_ms:
            out.write(content)
            return
        for index in range(len(content)):
            out.write(content[index : index + 1])
            out.flush()
            time.sleep(self.drip_ms / 1000)


def in_chunks(body: Iterable[bytes]) -> Iterable[bytes]:
    """Put a body of unknown length into the chunked coding (RFC 9112, 7.1)."""
    for part in body:
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"
