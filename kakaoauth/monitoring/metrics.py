"""The site's numbers in Prometheus' text format.

Read when asked, from Redis and the database: registries of single workers would give other numbers at each scrape.
"""

from collections.abc import Iterator

from flask import current_app
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from kakaoauth.counting import counters
from kakaoauth.monitoring import backlog
from kakaoauth.sessions import index as session_index
from kakaoauth.storage import health
from kakaoauth.storage.redis import REDIS_ERRORS, get_redis
from kakaoauth.webhooks import deferred

CONTENT_TYPE = CONTENT_TYPE_LATEST

#: Counter -> its help text, and the names of its labels. A label name is part of what scrapers read: `door` stays.
COUNTED = {
    "login_begun": ("Logins that were begun", ("provider",)),
    "login_returned": ("Logins that came back from the provider", ("provider",)),
    "login_in": ("Logins that succeeded", ("provider", "door")),
    "login_refused": ("Logins that were refused", ("provider", "code", "provider_code")),
    "provider_asked": ("Times that an app's login asked a provider", ("provider",)),
    "provider_budget_spent": ("Apps' logins refused because PROVIDER_CALLS_PER_MINUTE were spent", ("provider",)),
    "families_ended": ("Logins whose owner had too many others, so that the oldest were ended", ()),
    "terms_asked": ("Logins that ended on the sign-up step", ("provider",)),
    "terms_agreed": ("Sign-up steps that were finished", ("provider",)),
    "terms_left": ("Sign-up steps that were cancelled", ("provider",)),
    "sign_up": ("Accounts that were made by a first login", ("provider",)),
}


class Numbers(Collector):
    def collect(self) -> Iterator[Metric]:
        """Yield every metric; of a store that is away, only that it is."""
        redis_up, database_up = health.redis_answers(), health.database_answers()
        yield GaugeMetricFamily("kakaoauth_redis_up", "Whether Redis answers", value=int(redis_up))
        yield GaugeMetricFamily("kakaoauth_database_up", "Whether the database answers", value=int(database_up))
        try:
            if database_up:
                yield from _backlog()
                yield from _counted()
            if redis_up:
                yield GaugeMetricFamily(
                    "kakaoauth_sessions_open",
                    "Browsers that are logged in",
                    value=session_index.number_open(get_redis(current_app)),
                )
                yield GaugeMetricFamily(
                    "kakaoauth_webhooks_waiting", "Messages that wait for the database", value=deferred.number_waiting()
                )
        except (SQLAlchemyError, *REDIS_ERRORS):
            return  # it went away meanwhile: the two gauges say so at the next scrape


def _backlog() -> Iterator[Metric]:
    found = backlog.read()
    words = {
        "unlinks_waiting": "Unlinks that a provider has not heard of",
        "unlinks_given_up": "Unlinks that no worker tries any more",
        "webhooks_failed": "Messages that the database refused, and that wait to be tried again",
        "erasings_overdue": "Closed accounts that should have been erased an hour ago",
    }
    for name, number in found._asdict().items():
        yield GaugeMetricFamily(f"kakaoauth_{name}", words[name], value=number)


def _counted() -> Iterator[Metric]:
    found = counters.totals()
    for name, (words, labels) in COUNTED.items():
        family = CounterMetricFamily(f"kakaoauth_{name}", words, labels=labels)
        for (counted, label), number in sorted(found.items()):
            if counted == name:
                values = [*label.split(" "), "", "", ""][: len(labels)]
                family.add_metric(values, number)
        yield family


def text() -> bytes:
    """Return all metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(Numbers())
    return generate_latest(registry)
