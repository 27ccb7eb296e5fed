"""Airflow DAG: is every partner's YAML right: docs/add-a-partner.md"""

from dags.house.operations import operation


@operation("check_partners", schedule="*/5 * * * *", pool="dispatch")
def check_partners() -> object:
    """Red while a partner's YAML has a mistake: that partner alone is out, and the log names file, line and what is allowed."""
    from dags.house.engine import engine
    from include.engine.errors import SettingsError

    found = engine().partners()
    if found.mistakes:
        raise SettingsError("; ".join(str(mistake) for mistake in found.mistakes), do="Mend the file; nothing else is affected.")
    return f"{len(found.partners)} partners, all in order"
