"""What the Airflow UI gains: the board at /bindery, in the navigation, and as the tab "Delivery" of a run. docs/flows/board.md

Every Airflow process reads this file, and only the API server answers requests: so the board is made at the first one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin

ICON = "/bindery/static/bindery.svg"
Asgi = Callable[[MutableMapping[str, Any], Callable[..., Any], Callable[..., Any]], Awaitable[None]]


@cache
def board() -> Asgi:
    """The board's app, one a process."""
    from dags.house.engine import engine
    from plugins.board import security
    from plugins.board.app import create

    return create(engine, security.users, secret=security.secret(), run_of=security.delivery_of)


async def app(scope: MutableMapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """The board, made when it is first asked for."""
    await board()(scope, receive, send)


APPS: list[Any] = [{"app": app, "url_prefix": "/bindery", "name": "Bindery"}]
VIEWS: list[Any] = [
    {"name": "Bindery", "href": "/bindery/", "destination": "nav", "url_route": "bindery", "nav_top_level": True, "icon": ICON},
    {"name": "Delivery", "href": "/bindery/run/{DAG_ID}/{RUN_ID}", "destination": "dag_run", "url_route": "delivery", "icon": ICON},
]


class Bindery(AirflowPlugin):
    """The one plugin."""

    name = "bindery"
    fastapi_apps = APPS
    external_views = VIEWS
