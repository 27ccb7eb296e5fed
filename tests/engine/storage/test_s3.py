"""Object storage on a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from include.engine.credentials import EnvironmentCredentials
from include.engine.crypto.keys import MemoryKeyStore
from include.engine.storage.check import check
from include.engine.storage.filesystem import open_store
from include.engine.storage.landing import land, open_landed
from include.sandbox.servers.ports import HOST, free_port, wait_until_open
from tests.engine.storage.remote import code_of, forked


def test_a_bucket_takes_lists_and_gives_back_files() -> None:
    program = shutil.which("moto_server", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if program is None:
        pytest.skip("moto_server is not installed: no S3 server here")
    port = free_port()
    process = subprocess.Popen([program, "-H", HOST, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert wait_until_open(port)
        bucket_round_trip(f"http://{HOST}:{port}")
    finally:
        process.terminate()
        process.wait()


def bucket_round_trip(endpoint: str) -> None:
    uri = f"aws://key:secret@/?endpoint_url={endpoint}&region_name=eu-north-1"
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint, region_name="eu-north-1", aws_access_key_id="key", aws_secret_access_key="secret")
    client.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    keys = MemoryKeyStore()
    credentials = EnvironmentCredentials({"AIRFLOW_CONN_INBOX": uri})
    with open_store("s3://inbox/bucket/in", credentials) as store:
        assert store.list() == []
        data = os.urandom(6_000_000)
        assert store.put("a/x.csv", iter([data, b"end"])) == 6_000_003
        assert [seen.path for seen in store.list(recursive=True)] == ["a/x.csv"]
        with store.open_read("a/x.csv") as file:
            assert file.read() == data + b"end"
        store.rename("a/x.csv", "archive/x.csv")
        assert not store.exists("a/x.csv") and store.exists("archive/x.csv")
        assert code_of(lambda: store.open_read("gone")) == "FILE_GONE"
        landed = land(store, "archive/x.csv", root=open_store("s3://inbox/bucket/landing", credentials), key=keys.ensure("delivery", "d"))
        with open_landed(landed, keys, credentials=credentials) as file:
            file.seek(5)
            assert file.read(10) == data[5:15]
        assert forked(lambda: store.exists("archive/x.csv"))
        store.delete("archive/x.csv")
        assert store.list(recursive=True) == []
        assert [line.ok for line in check(store)] == [True] * 5
