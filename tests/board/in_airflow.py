"""The board inside Airflow's own API app, asked by people with every role: `python -m tests.board.in_airflow` in an environment of its own.

Prints one line of JSON: for each person and address the status, and whether a partner's name stands on the page.
"""

from __future__ import annotations

import json
import sys

PEOPLE = {"anna": "ADMIN", "otto": "OP", "uma": "USER", "lise": "VIEWER", "nobody": None}
ADDRESSES = ("/bindery/", "/bindery/partners/lindeby", "/bindery/partners/havnsund", "/bindery/static/board.css")


def main() -> None:
    """A database with Airflow's tables, the app with the plugin mounted, and one request a person and address."""
    from airflow import settings
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from fastapi.testclient import TestClient

    import_all_models()
    Base.metadata.create_all(settings.get_engine())
    browser = TestClient(create_app(apps="core"), base_url="http://localhost", follow_redirects=False)
    found: dict[str, dict[str, object]] = {}
    for name, role in {"": None, **PEOPLE}.items():
        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=role)) if name else ""
        for how in ("bearer", "cookie") if name else ("bearer",):
            browser.cookies.clear()
            if how == "cookie":
                browser.cookies.set("_token", token)
            headers = {"authorization": f"Bearer {token}"} if how == "bearer" and name else {}
            for address in ADDRESSES:
                answer = browser.get(address, headers=headers)
                names = [word for word in ("Lindeby Biblioteker", "Havnsund Forskningsbibliotek") if word in answer.text]
                found[f"{name} {how} {address}".strip()] = {"status": answer.status_code, "names": names}
    found["forged"] = {"status": browser.get("/bindery/", headers={"authorization": "Bearer x.y.z"}).status_code, "names": []}
    print("FOUND " + json.dumps(found))


if __name__ == "__main__":
    sys.exit(main())
