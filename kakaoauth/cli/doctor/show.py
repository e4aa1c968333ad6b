"""How findings are shown: for people in Korean or English, for machines as JSON."""

import json
import re
from collections.abc import Mapping

from kakaoauth.cli.doctor.findings import SECTIONS, Finding, Status
from kakaoauth.translation import gettext

LANGUAGES = ("ko", "en")
MARKS = {Status.OK: "✓", Status.WARNING: "!", Status.FAILED: "✗", Status.SKIPPED: "–"}
PLAIN = str.maketrans({"✓": "v", "✗": "x", "–": "-", "→": ">", "…": "."})


def language(choice: str | None, environ: Mapping[str, str]) -> str:
    """The language that was asked for, else the terminal's, by POSIX's order."""
    if choice in LANGUAGES:
        return str(choice)
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return "ko" if re.match(r"ko(?![a-z])", locale, re.IGNORECASE) else "en"


def as_json(findings: list[Finding]) -> str:
    """In ASCII, which every terminal and every pipe carries."""
    rows = [
        {"id": found.id, "status": found.status.value, "title": found.title, "cure": found.cure, "detail": found.detail}
        for found in findings
    ]
    return json.dumps(rows, indent=2)


def as_text(findings: list[Finding]) -> str:
    """In the current language, one section after the other, with a summary."""
    lines: list[str] = []
    for section, title in SECTIONS.items():
        lines += ["", str(title)] if lines else [str(title)]
        for found in findings:
            if found.id.split(".")[0] == section:
                lines += _lines_of(found)
    count = {status: sum(found.status is status for found in findings) for status in Status}
    summary = gettext(
        "%(failed)s failed, %(warnings)s warnings, %(skipped)s not checked.",
        failed=count[Status.FAILED],
        warnings=count[Status.WARNING],
        skipped=count[Status.SKIPPED],
    )
    return "\n".join([*lines, "", str(summary)])


def for_terminal(text: str, encoding: str) -> str:
    """Text that a terminal of that encoding can show."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(PLAIN).encode(encoding, "replace").decode(encoding)
    return text


def _lines_of(found: Finding) -> list[str]:
    line = f"  {MARKS[found.status]} {found.title}"
    if found.detail:
        line += f": {found.detail}"
    return [line, f"      → {found.cure}"] if found.cure else [line]
