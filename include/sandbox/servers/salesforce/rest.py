"""What the org answers over HTTP: logins, jobs, collections, queries, limits, and a record's page as a person sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from include.sandbox.servers.record_page import page
from include.sandbox.servers.salesforce.ingest import FINAL, Bad, Job, as_csv, results
from include.sandbox.servers.salesforce.login import soap_answer
from include.sandbox.servers.salesforce.org import API, INTEGRATION_USER, RowError
from include.sandbox.servers.salesforce.soql import BadQuery, select
from include.sandbox.servers.salesforce.state import State

Handler = Callable[[Request], Awaitable[Response]]
_KINDS = {"successfulresults": "successfulResults", "failedresults": "failedResults", "unprocessedrecords": "unprocessedrecords"}


def application(state: State) -> Starlette:
    """The org as an ASGI application."""
    data = f"/services/data/v{API}"
    on = Answers(state)
    routes = [
        Route("/services/oauth2/token", on.token, methods=["POST"]),
        Route("/services/Soap/u/{version}", on.soap, methods=["POST"]),
        Route("/services/oauth2/userinfo", on.inside(on.userinfo)),
        Route("/lightning/r/{object}/{id}/view", on.page),
        *(
            Route(f"{data}/{path}", on.inside(handler), methods=[method])
            for method, path, handler in (
                ("POST", "jobs/ingest", on.create),
                ("GET", "jobs/ingest", on.jobs),
                ("GET", "jobs/ingest/{job}", on.job),
                ("PATCH", "jobs/ingest/{job}", on.change),
                ("DELETE", "jobs/ingest/{job}", on.forget),
                ("PUT", "jobs/ingest/{job}/batches", on.upload),
                ("GET", "jobs/ingest/{job}/{results}", on.results),
                ("POST", "jobs/query", on.query_job),
                ("GET", "jobs/query/{job}", on.query_state),
                ("GET", "jobs/query/{job}/results", on.query_results),
                ("PATCH", "composite/sobjects/{object}/{key}", on.collection),
                ("PATCH", "composite/sobjects", on.update_collection),
                ("DELETE", "composite/sobjects", on.delete_collection),
                ("PATCH", "sobjects/{object}/{key}/{value}", on.upsert),
                ("GET", "sobjects/{object}/{key}/{value}", on.get),
                ("GET", "query", on.query),
                ("GET", "queryAll", on.query_all),
                ("GET", "query/{locator}", on.more),
                ("GET", "limits", on.limits),
            )
        ),
    ]
    return Starlette(routes=routes)


def _errors(code: str, message: str, status: int) -> JSONResponse:
    return JSONResponse([{"errorCode": code, "message": message}], status)


class Answers:
    """One handler a path."""

    def __init__(self, state: State) -> None:
        self.state = state

    def inside(self, handler: Handler) -> Handler:
        """Only with a session, counted against the day's limit, and with the faults that any call may have."""

        async def answer(request: Request) -> Response:
            state = self.state
            state.calls.append((request.method, request.url.path.partition(f"/v{API}/")[2]))
            session = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
            asks_job = request.method == "GET" and "jobs/ingest/" in request.url.path
            if state.faults.take("session_expires") or (asks_job and state.faults.take("session_expires_in_job")):
                state.door.sessions.discard(session)
            if session not in state.door.sessions:
                return _errors("INVALID_SESSION_ID", "Session expired or invalid", 401)
            if state.faults.take("limit_exceeded") or state.used >= state.daily:
                return _errors("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403)
            if asks_job and state.faults.take("job_hidden"):
                return _errors("API_DISABLED_FOR_ORG", "The REST API is not enabled for this organization.", 403)
            if state.faults.take("unavailable"):
                return Response("Server too busy", 503, headers={"Retry-After": "1"})
            state.used += 1
            try:
                found = await handler(request)
            except Bad as bad:
                found = _errors(bad.code, bad.message, bad.status)
            except (RowError, BadQuery) as error:
                code = error.code if isinstance(error, RowError) else "MALFORMED_QUERY"
                found = _errors(code, getattr(error, "message", str(error)), 400)
            if state.answered is not None:
                state.answered()
            found.headers["Sforce-Limit-Info"] = f"api-usage={state.used}/{state.daily}"
            return found

        return answer

    async def token(self, request: Request) -> Response:
        if self.state.faults.take("login_unavailable"):
            return HTMLResponse("<html>We are down for maintenance.</html>", 503)
        if self.state.faults.take("login_later"):
            return JSONResponse({"error": "unknown_error", "error_description": "retry your request"}, 400)
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        refused = {"error": "invalid_grant", "error_description": "authentication failure"}
        fault = self.state.faults.take("login_refused")
        found = refused if fault else self.state.door.token(form, request.headers.get("authorization", ""))
        if "error" in found:
            return JSONResponse(found, 400)
        return JSONResponse({**found, "instance_url": self.state.address, "id": f"{self.state.address}/id/00D/005"})

    async def userinfo(self, _request: Request) -> Response:
        if self.state.faults.take("user_hidden"):
            return _errors("FORBIDDEN", "insufficient scope", 403)
        return JSONResponse({"user_id": INTEGRATION_USER, "organization_id": "00D000000000001AAA"})

    async def soap(self, request: Request) -> Response:
        if self.state.faults.take("login_unavailable"):
            return HTMLResponse("<html>We are down for maintenance.</html>", 503)
        session = self.state.door.soap(await request.body())
        status, text = soap_answer(session, f"{self.state.address}/services/Soap/u/{API}/00D")
        return Response(text, status, media_type="text/xml")

    async def create(self, request: Request) -> Response:
        job = self.state.ingest.create(json.loads(await request.body()))
        if self.state.faults.take("job_created_500"):
            return _errors("UNKNOWN_EXCEPTION", "An unexpected error occurred.", 500)
        return JSONResponse(job.info())

    async def jobs(self, request: Request) -> Response:
        start, size = int(request.query_params.get("queryLocator", "0")), 1000
        found = sorted(self.state.ingest.jobs.values(), key=lambda job: job.id, reverse=True)
        done = start + size >= len(found)
        following = None if done else f"/services/data/v{API}/jobs/ingest?queryLocator={start + size}"
        listed = [
            {name: value for name, value in one.info().items() if name != "externalIdFieldName"} for one in found[start : start + size]
        ]
        return JSONResponse({"done": done, "records": listed, "nextRecordsUrl": following})

    def _job(self, request: Request) -> Job:
        found = self.state.ingest.jobs.get(request.path_params["job"])
        if found is None:
            raise Bad("NOT_FOUND", "The requested resource does not exist", 404)
        return found

    async def job(self, request: Request) -> Response:
        return JSONResponse(self.state.ingest.look(self._job(request)).info())

    async def upload(self, request: Request) -> Response:
        body = await request.body()
        if self.state.faults.take("upload_lost"):
            return _errors("UNKNOWN_EXCEPTION", "An unexpected error occurred.", 500)
        self.state.ingest.upload(self._job(request), body)
        if self.state.faults.take("upload_500"):
            return _errors("UNKNOWN_EXCEPTION", "An unexpected error occurred.", 500)
        return Response(status_code=201)

    async def change(self, request: Request) -> Response:
        job = self._job(request)
        self.state.ingest.change(job, json.loads(await request.body())["state"])
        if self.state.faults.take("close_500"):
            return _errors("UNKNOWN_EXCEPTION", "An unexpected error occurred.", 500)
        return JSONResponse(job.info())

    async def forget(self, request: Request) -> Response:
        job = self._job(request)
        if job.state not in FINAL:
            raise Bad("INVALIDJOBSTATE", "only a job that has ended can be deleted")
        del self.state.ingest.jobs[job.id]
        return Response(status_code=204)

    async def results(self, request: Request) -> Response:
        job = self._job(request)
        kind = _KINDS.get(request.path_params["results"].lower())
        if kind is None or job.state not in FINAL:
            raise Bad("INVALIDJOBSTATE" if kind else "NOT_FOUND", "Job is not in a final state", 400 if kind else 404)
        if self.state.faults.take("result_500"):
            return _errors("UNKNOWN_EXCEPTION", "An unexpected error occurred.", 500)
        columns, rows = results(job, kind)
        return self._csv(request, columns, rows)

    def _csv(self, request: Request, columns: list[str], rows: list[dict[str, Any]]) -> Response:
        start = int(request.query_params.get("locator") or 0)
        size = min(self.state.page_rows, int(request.query_params.get("maxRecords") or self.state.page_rows))
        locator = str(start + size) if start + size < len(rows) else "null"
        kind = "text/csv" if self.state.faults.take("no_charset") else "text/csv; charset=UTF-8"
        page_rows = rows[start : start + size]
        headers = {"Sforce-Locator": locator, "Sforce-NumberOfRecords": str(len(page_rows)), "Content-Type": kind}
        return Response(as_csv(columns, page_rows), headers=headers)

    async def query_job(self, request: Request) -> Response:
        name, rows = select(self.state.org, json.loads(await request.body())["query"])
        job = f"750Q{len(self.state.query_jobs):011d}AAA"
        self.state.query_jobs[job] = rows
        return JSONResponse({"id": job, "object": name, "operation": "query", "state": "UploadComplete"})

    async def query_state(self, request: Request) -> Response:
        rows = self.state.query_jobs[request.path_params["job"]]
        return JSONResponse({"id": request.path_params["job"], "state": "JobComplete", "numberRecordsProcessed": len(rows)})

    async def query_results(self, request: Request) -> Response:
        rows = self.state.query_jobs[request.path_params["job"]]
        return self._csv(request, list(rows[0]) if rows else ["Id"], [{k: "" if v is None else v for k, v in row.items()} for row in rows])

    async def collection(self, request: Request) -> Response:
        asked = json.loads(await request.body())
        if len(asked["records"]) > 200:
            raise Bad("INVALID_INPUT", "The number of records is more than the maximum of 200")
        name, key = request.path_params["object"], request.path_params["key"]
        locked = self.state.faults.take("lock_rows")
        found = [self._one(name, key, one, locked and number % 3 == 0) for number, one in enumerate(asked["records"])]
        if self.state.faults.take("collection_500"):
            return _errors("UNKNOWN_EXCEPTION", "An unexpected error occurred.", 500)
        return JSONResponse(found)

    def _one(self, name: str, key: str, record: dict[str, Any], locked: bool) -> dict[str, Any]:
        try:
            if locked:
                raise RowError("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
            values = {
                (f"{column}.{next(iter(value))}" if isinstance(value, dict) else column): (
                    next(iter(value.values())) if isinstance(value, dict) else value
                )
                for column, value in record.items()
                if column not in {"attributes", key}
            }
            found, new = self.state.org.upsert(name, key, str(record.get(key) or ""), values)
            return {"id": found, "success": True, "errors": [], "created": new}
        except RowError as error:
            return {"success": False, "errors": [{"statusCode": error.code, "message": error.message, "fields": error.fields}]}

    async def update_collection(self, request: Request) -> Response:
        asked = json.loads(await request.body())["records"]
        if len(asked) > 200:
            raise Bad("INVALID_INPUT", "The number of records is more than the maximum of 200")
        locked = self.state.faults.take("lock_rows")
        return JSONResponse([self._update(one, locked and number % 3 == 0) for number, one in enumerate(asked)])

    def _update(self, record: dict[str, Any], locked: bool) -> dict[str, Any]:
        try:
            if locked:
                raise RowError("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
            name = record["attributes"]["type"]
            found = self.state.org.find(name, "Id", record["id"])
            if not found:
                raise RowError("ENTITY_IS_DELETED", "entity is deleted")
            self.state.org.update(name, found[0], {column: value for column, value in record.items() if column not in {"attributes", "id"}})
            return {"id": record["id"], "success": True, "errors": []}
        except RowError as error:
            return {"success": False, "errors": [{"statusCode": error.code, "message": error.message, "fields": error.fields}]}

    async def delete_collection(self, request: Request) -> Response:
        ids = request.query_params["ids"].split(",")
        if len(ids) > 200:
            raise Bad("INVALID_INPUT", "The number of records is more than the maximum of 200")
        return JSONResponse([self._delete(one) for one in ids])

    def _delete(self, record_id: str) -> dict[str, Any]:
        try:
            name = next((name for name, found in self.state.org.records.items() if record_id in found), "Contact")
            self.state.org.delete(name, record_id)
            return {"id": record_id, "success": True, "errors": []}
        except RowError as error:
            return {"id": record_id, "success": False, "errors": [{"statusCode": error.code, "message": error.message, "fields": []}]}

    async def upsert(self, request: Request) -> Response:
        where = request.path_params
        found = self.state.org.find(where["object"], where["key"], where["value"])
        if len(found) > 1:
            return JSONResponse([f"/services/data/v{API}/sobjects/{where['object']}/{one['Id']}" for one in found], 300)
        record, new = self.state.org.upsert(where["object"], where["key"], where["value"], json.loads(await request.body()))
        return JSONResponse({"id": record, "success": True, "errors": [], "created": new}, 201 if new else 200)

    async def get(self, request: Request) -> Response:
        where = request.path_params
        found = self.state.org.find(where["object"], where["key"], where["value"])
        if len(found) > 1:
            return JSONResponse([f"/services/data/v{API}/sobjects/{where['object']}/{one['Id']}" for one in found], 300)
        return JSONResponse(found[0]) if found else _errors("NOT_FOUND", "The requested resource does not exist", 404)

    async def query_all(self, request: Request) -> Response:
        name, rows = select(self.state.org, request.query_params["q"], archived=True)
        return self._records(name, rows, 0)

    async def query(self, request: Request) -> Response:
        name, rows = select(self.state.org, request.query_params["q"])
        return self._records(name, rows, 0)

    async def more(self, request: Request) -> Response:
        query, start = re.fullmatch(r"(q\d+)-(\d+)", request.path_params["locator"]).groups()  # type: ignore[union-attr]
        return self._records("", self.state.cursors[query], int(start), query)

    def _records(self, name: str, rows: list[dict[str, Any]], start: int, query: str = "") -> Response:
        size = min(2000, self.state.page_rows)
        last = start + size >= len(rows)
        if not query:
            query = f"q{len(self.state.cursors)}"
            self.state.cursors[query] = rows
        answer = {
            "totalSize": len(rows),
            "done": last,
            "records": [{"attributes": {"type": name}, **one} for one in rows[start : start + size]],
        }
        if not last:
            answer["nextRecordsUrl"] = f"/services/data/v{API}/query/{query}-{start + size}"
        return JSONResponse(answer)

    async def limits(self, _request: Request) -> Response:
        return JSONResponse({"DailyApiRequests": {"Max": self.state.daily, "Remaining": self.state.daily - self.state.used}})

    async def page(self, request: Request) -> Response:
        found = self.state.org.records.get(request.path_params["object"], {}).get(request.path_params["id"])
        return HTMLResponse(page(request.path_params["object"], found)) if found else Response("not found", 404)
