"""Commands whose module is loaded when one of them is asked for, so that a web worker does without it."""

import click
from werkzeug.utils import import_string

from kakaoauth.cli.told import ToldGroup


class LaterGroup(ToldGroup):
    """Stands for another group, with the same commands."""

    def __init__(self, name: str, where: str, *, help: str) -> None:
        """:param where: of the other group, as `module:name`."""
        super().__init__(name, help=help)
        self._where = where

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the other group's commands."""
        return self._other().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of the other group."""
        return self._other().get_command(ctx, cmd_name)

    def _other(self) -> click.Group:
        found: click.Group = import_string(self._where)
        return found
