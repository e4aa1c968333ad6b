"""The API for apps and single-page front ends: JSON, with a bearer token instead of a session."""

from flask import Blueprint

from kakaoauth.api import consents, docs, login, tokens, users
from kakaoauth.web import cors, guards

bp = Blueprint("api", __name__)
cors.init_blueprint(bp)  # before any guard: a preflight carries neither token nor cookie
bp.before_request(guards.anyone)  # each part below names its own
for part in (login, tokens, users, consents, docs):
    bp.register_blueprint(part.bp)
