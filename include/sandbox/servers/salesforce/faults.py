"""What goes wrong at the stand-in, when it is switched on."""

FAULTS = (
    "login_refused",  # invalid_grant
    "login_unavailable",  # a page of HTML, 503
    "login_later",  # unknown_error: retry your request
    "user_hidden",  # an app that may not ask who it is: 403
    "session_expires",  # the next call: 401 INVALID_SESSION_ID
    "session_expires_in_job",  # the same while a job is asked for its state
    "limit_exceeded",  # 403 REQUEST_LIMIT_EXCEEDED
    "unavailable",  # 503
    "job_created_500",  # the job is there, the answer is 500
    "upload_500",  # the bytes are there, the answer is 500
    "upload_lost",  # the answer is 500, nothing arrived
    "close_500",  # the job goes on, the answer is 500
    "result_500",  # a page of results cannot be had
    "job_hidden",  # a job may not be looked at just now: 403
    "job_failed",  # Failed with the first half of its rows done
    "job_aborted",  # somebody aborts it in Setup
    "lock_rows",  # every third row: UNABLE_TO_LOCK_ROW
    "collection_500",  # a composite call is done, the answer is 500
    "no_charset",  # results say text/csv and nothing of the charset
)
