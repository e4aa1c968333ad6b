"""Why a line, or a whole file, makes nobody: in English for the command, in the visitor's language for a page."""

from typing import Any

from kakaoauth.translation import gettext


class Why(str):
    """In English. It quotes nothing from the file. :param values: fill in `%(name)s`; may be reasons as well."""

    text: str
    values: dict[str, Any]

    def __new__(cls, text: str, **values: Any) -> "Why":
        made = super().__new__(cls, text % values if values else text)
        made.text, made.values = text, values
        return made

    def told(self) -> str:
        """In the visitor's language."""
        return gettext(self.text, **{n: v.told() if isinstance(v, Why) else v for n, v in self.values.items()})
