#!/bin/sh
# Run once by PostgreSQL's container: the ledger has a database and a role of its own, beside Airflow's.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set password="$BINDERY_PASSWORD" <<'SQL'
CREATE ROLE bindery LOGIN PASSWORD :'password';
CREATE DATABASE bindery OWNER bindery;
SQL
