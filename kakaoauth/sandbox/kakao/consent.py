"""Which consent items a person still has to be asked for."""

from kakaoauth.sandbox.state.model import AuthorizationRequest, Link
from kakaoauth.sandbox.state.settings import ConsentItem, SandboxSettings


def items_to_ask(settings: SandboxSettings, link: Link | None, wanted: AuthorizationRequest) -> list[ConsentItem]:
    """Return the items for the consent page, in the console's order.

    First link: the required items, and the named ones (without a scope: every configured one).
    Later: named items not yet agreed to, and required ones the console has added since.
    """
    agreed = link.agreed if link else {}
    return [
        item
        for item in settings.consent_items
        if item.id not in agreed and (item.required or _is_named(item, link, wanted))
    ]


def _is_named(item: ConsentItem, link: Link | None, wanted: AuthorizationRequest) -> bool:
    if wanted.items is None:
        return link is None
    return item.id in wanted.items
