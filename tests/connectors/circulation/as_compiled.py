"""A plug-in of pytest: the sidecar's tests on its compiled modules (`make compiled`). pytest -p tests.connectors.circulation.as_compiled ..."""

from connectors.circulation import compiled

compiled.build()
if not compiled.use():
    raise SystemExit(f"the compiled modules are not used: {compiled.SETTING} is off")
