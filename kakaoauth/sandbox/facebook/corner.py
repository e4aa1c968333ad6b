"""The Facebook corner put into the sandbox."""

from flask import Flask, Response

from kakaoauth.sandbox.facebook import api, dialog, exchange, graph, page
from kakaoauth.sandbox.facebook.errors import DialogError, GraphError
from kakaoauth.sandbox.facebook.routing import add_converters
from kakaoauth.sandbox.pages import page as render
from kakaoauth.sandbox.pages import show_graph_error


def add_to(app: Flask) -> None:
    add_converters(app)
    for module in (dialog, exchange, graph, page, api):
        app.register_blueprint(module.bp)
    app.register_error_handler(GraphError, show_graph_error)
    app.register_error_handler(DialogError, show_dialog_error)


def show_dialog_error(error: DialogError) -> Response:
    return render("facebook_error", status=error.status, why=f"facebook_why_{error.why}", detail=error.detail)
