"""For operators and load balancers: `/healthz`, `/readyz` and `/metrics`."""

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from kakaoauth.monitoring import metrics
from kakaoauth.storage import health, schema
from kakaoauth.web import guards

bp = Blueprint("ops", __name__)
bp.before_request(guards.anyone)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 as long as the process answers; asks neither Redis nor the database."""
    return jsonify(status="ok")


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """200 only while Redis and the database answer and take writes, and the schema is this code's."""
    level = health.schema()
    parts = {
        "redis": "ok" if health.redis_answers() else "unavailable",
        "database": "unavailable" if level is None else "ok" if level == schema.wanted() else "wrong schema",
    }
    for name, state in parts.items():
        if state == "ok" and not health.takes_writes(name):
            parts[name] = "not writable"
    ready = all(state == "ok" for state in parts.values())
    return jsonify(status="ok" if ready else "unavailable", **parts), 200 if ready else 503


@bp.get("/metrics")
@guards.guarded(guards.operator)
def show_metrics() -> ResponseReturnValue:
    """Prometheus' text format; for a loopback peer, or with METRICS_TOKEN."""
    return Response(metrics.text(), content_type=metrics.CONTENT_TYPE)
