"""The board under Airflow's FAB auth manager, asked by users with roles of its own: `python -m tests.board.in_fab` in an environment of its own.

Prints one line of JSON: for each user and address the status, and whose names stand on the page. docs/running.md says how an operator makes the role.
"""

from __future__ import annotations

import json
import sys

USERS = {"otto": "Op", "lise": "Library staff", "vera": "Viewer"}
ADDRESSES = ("/bindery/", "/bindery/partners/lindeby", "/bindery/partners/havnsund", "/api/v2/dags", "/api/v2/connections", "/ui/config")


def main() -> None:
    """Two sets of tables, the roles, the users, Airflow's app with the plugin mounted, and one request a user and address."""
    from airflow import settings
    from airflow.api_fastapi.app import create_app
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from airflow.providers.fab.www.app import create_app as create_flask
    from fastapi.testclient import TestClient

    import_all_models()
    Base.metadata.create_all(settings.get_engine())
    flask = create_flask(enable_plugins=False)
    with flask.app_context():
        people = flask.appbuilder.sm
        people.sync_roles()
        staff = people.add_role("Library staff")
        people.add_permission_to_role(staff, people.create_permission("can_read", "Website"))
        for name, role in USERS.items():
            people.add_user(name, name, name, f"{name}@library.example", people.find_role(role), password=f"{name}'s word")
    found: dict[str, dict[str, object]] = {}
    with TestClient(create_app(), base_url="http://localhost", follow_redirects=False) as browser:
        for name in USERS:
            said = browser.post("/auth/token", json={"username": name, "password": f"{name}'s word"})
            for address in ADDRESSES:
                browser.cookies.clear()
                answer = browser.get(address, headers={"authorization": f"Bearer {said.json()['access_token']}"})
                names = [word for word in ("Lindeby Biblioteker", "Havnsund Forskningsbibliotek") if word in answer.text]
                found[f"{name} {address}"] = {"status": answer.status_code, "names": names}
    print("FOUND " + json.dumps(found))


if __name__ == "__main__":
    sys.exit(main())
