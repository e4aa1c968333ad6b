"""The operator's commands: `flask --app wsgi users ...`, `... kakao ...`, `... tokens ...`, `... audit ...`,
`... kakaoauth ...`."""

from flask import Flask

from kakaoauth.cli.audit import audit
from kakaoauth.cli.kakao import kakao
from kakaoauth.cli.schema import group as schema_group
from kakaoauth.cli.tokens import tokens
from kakaoauth.cli.user_files import export_users, import_users
from kakaoauth.cli.users import users


def init_app(app: Flask) -> None:
    """Register every command group with the `flask` command."""
    users.add_command(export_users)
    users.add_command(import_users)
    app.cli.add_command(users)
    app.cli.add_command(kakao)
    app.cli.add_command(tokens)
    app.cli.add_command(audit)
    app.cli.add_command(schema_group)
