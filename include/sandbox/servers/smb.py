"""Debian's smbd on a private folder and port: as root or as any user, with nothing of the system's own samba touched."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from include.sandbox.servers.ports import HOST, PASSWORD, die_with_parent, free_port, wait_until_open

SHARE = "deliveries"


@dataclass(frozen=True)
class SmbServer:
    """A running server. `login` is mapped to the user who started it, so no system user is made."""

    folder: Path
    port: int
    login: str
    password: str
    host: str = HOST
    share: str = SHARE

    @property
    def connection_uri(self) -> str:
        """As Airflow reads it from AIRFLOW_CONN_<ID>."""
        return f"samba://{quote(self.login)}:{quote(self.password, safe='')}@{self.host}:{self.port}/{self.share}"


def available() -> tuple[bool, str]:
    """Whether an SMB server can be started here, and if not, why."""
    for program in ("smbd", "pdbedit"):
        if _program(program) is None:
            return False, f"{program} is not installed (Debian package samba)"
    return True, ""


@contextmanager
def smb_server(folder: Path, *, login: str = "bindery", password: str = PASSWORD, port: int = 0) -> Iterator[SmbServer]:
    """Serve `folder` as the share `deliveries` until the block ends. RuntimeError with smbd's last words when it does not start."""
    smbd, pdbedit = _program("smbd"), _program("pdbedit")
    if smbd is None or pdbedit is None:
        raise RuntimeError(available()[1])
    port = port or free_port()
    user = pwd.getpwuid(os.getuid()).pw_name
    with TemporaryDirectory(prefix="smb", ignore_cleanup_errors=True) as place:
        settings = _settings(Path(place), folder, user, login, port)
        added = subprocess.run(
            [pdbedit, "-s", str(settings), "-a", "-t", "-u", user],  # smbpasswd adds locally for root only
            input=f"{password}\n{password}\n",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if added.returncode:
            raise RuntimeError(f"pdbedit refused: {added.stderr.strip()[-300:]}")
        with (Path(place) / "smbd.out").open("wb") as words:
            process = subprocess.Popen(
                [smbd, "--foreground", "--no-process-group", "-s", str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
        try:
            if not wait_until_open(port, process=process) or process.poll() is not None:
                raise RuntimeError(f"smbd did not start: {_last_words(Path(place))}")
            yield SmbServer(folder, port, login, password)
        finally:
            _end(process)


def _settings(place: Path, folder: Path, user: str, login: str, port: int) -> Path:
    (place / "users").write_text(f"{user} = {login}\n", encoding="utf-8")
    private = {name: place / name for name in ("private", "state", "cache", "lock", "pid", "ncalrpc", "log", "bind")}
    for directory in private.values():
        directory.mkdir(mode=0o700)
    private["ncalrpc"].chmod(0o755)
    file = place / "smb.conf"
    file.write_text(
        f"""[global]
workgroup = SANDBOX
server role = standalone server
interfaces = {HOST}/8
bind interfaces only = yes
smb ports = {port}
disable netbios = yes
private dir = {private["private"]}
state directory = {private["state"]}
cache directory = {private["cache"]}
lock directory = {private["lock"]}
pid directory = {private["pid"]}
ncalrpc dir = {private["ncalrpc"]}
binddns dir = {private["bind"]}
log file = {private["log"]}/smbd.log
max log size = 1000
passdb backend = tdbsam:{private["private"]}/passdb.tdb
username map = {place / "users"}
invalid users =
map to guest = never
load printers = no
printing = bsd
printcap name = /dev/null
disable spoolss = yes
server min protocol = SMB2_10
unix extensions = no

[{SHARE}]
path = {folder}
read only = no
force user = {user}
wide links = no
""",
        encoding="utf-8",
    )
    return file


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin:/usr/bin")


def _last_words(place: Path) -> str:
    words = [file.read_text(errors="replace")[-300:] for file in (place / "smbd.out", place / "log" / "smbd.log") if file.exists()]
    return " ".join(" ".join(words).split())


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    if process.poll() is None:
        process.kill()
        process.wait()
