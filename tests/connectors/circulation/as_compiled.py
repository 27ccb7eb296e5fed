"""A plug-in of pytest: the sidecar's tests on its compiled modules (`make compiled`). pytest -p tests.connectors.circulation.as_compiled ..."""

import os

from connectors.circulation import compiled

os.environ[compiled.SETTING] = "on"  # which the tests' own processes have from here
compiled.build()
compiled.use()
