"""The operator's commands: `flask kakaoauth users ...`, and on the reference site also `flask --app wsgi users ...`."""

from flask import Flask

from kakaoauth.cli.audit import audit
from kakaoauth.cli.google import google
from kakaoauth.cli.later import LaterGroup
from kakaoauth.cli.schema import group
from kakaoauth.cli.tokens import tokens
from kakaoauth.cli.user_files import export_users, import_users
from kakaoauth.cli.users import users
from kakaoauth.cli.work import work

#: Its module plays the sandbox, which is a site of its own: no worker needs it. Not `kakao`, which is what the loaded
#: module is called here.
kakao_commands = LaterGroup(
    "kakao", "kakaoauth.cli.kakao:kakao", help="Kakao: check the configuration, or play Kakao here."
)

users.add_command(export_users)
users.add_command(import_users)
for part in (users, kakao_commands, google, tokens, audit):
    group.add_command(part)
group.add_command(work)


def init_app(app: Flask) -> None:
    """Register `flask kakaoauth`."""
    app.cli.add_command(group)


def add_to_site(app: Flask) -> None:
    """Register the site's shorter commands; in a host's app they could meet its own."""
    for part in (users, kakao_commands, google, tokens, audit):
        app.cli.add_command(part)
    app.cli.add_command(group, "db")
