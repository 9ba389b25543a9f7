"""Install the servers and the browser the tests need, where that may be done: as root, with apt. Quick the second time.

Run as a program, before the tests::

    python3 tests/servers/provision.py

Nothing is started: services that packages bring stay off. MySQL is in Debian's unstable suite only, so it gets a
Debian of its own in a cache folder and runs from there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(os.environ.get("MIGKIT_TEST_CACHE", "/var/cache/migkit-tests"))
MYSQL_ROOT = CACHE / "mysql"
MYSQL_TEMPLATE = MYSQL_ROOT / "srv" / "template"

_MYSQL_SUITE = "sid"
_MYSQL_PACKAGES = "mysql-server-core,mysql-client-core"
_POLICY = Path("/usr/sbin/policy-rc.d")
_PACKAGES = {
    "mariadb-server": "/usr/sbin/mariadbd",
    "mariadb-client": "/usr/bin/mariadb-dump",
    "postgresql-15": "/usr/lib/postgresql/15/bin/postgres",
    "debootstrap": "/usr/sbin/debootstrap",
    "chromium": "/usr/bin/chromium",
}


def main() -> int:
    """Provision everything; what cannot be had is said in one line, and the tests decide what that means."""
    reason = _hindrance()
    if reason:
        print(f"Test servers: nothing installed, because {reason}. Tests use what is there.")
        return 0
    with _locked():
        for step in (_install_packages, _provision_mysql):
            try:
                step()
            except subprocess.CalledProcessError as error:
                output = (error.stderr or error.stdout or "").strip()[-800:]
                print(f"Test servers: {' '.join(map(str, error.cmd))} failed: {output}", file=sys.stderr)
    missing = [package for package, program in _PACKAGES.items() if not Path(program).exists()]
    if not is_mysql_provisioned():
        missing.append("MySQL")
    print(f"Test servers: {'missing ' + ', '.join(missing) if missing else 'all there'}.")
    return 0


def is_mysql_provisioned() -> bool:
    """Tell whether MySQL is there, with a data folder to copy."""
    return (MYSQL_TEMPLATE / "mysql.ibd").exists()


def _hindrance() -> str | None:
    if not sys.platform.startswith("linux"):
        return "this is not Linux"
    if os.geteuid() != 0:
        return "this is not run by root"
    if shutil.which("apt-get") is None:
        return "there is no apt"
    return None


@contextmanager
def _locked() -> Iterator[None]:
    """Let one provisioning run at a time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install_packages() -> None:
    missing = [package for package, program in _PACKAGES.items() if not Path(program).exists()]
    if not missing:
        return
    print(f"Installing {', '.join(missing)} …", flush=True)
    with _services_off():
        _apt("update", "-qq")
        _apt("install", "-y", "-qq", "--no-install-recommends", *missing)


def _apt(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # A fresh machine may still be installing its own updates.
    _run(["apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3", *arguments], environment)


@contextmanager
def _services_off() -> Iterator[None]:
    """Keep packages from starting their services while they are installed."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _provision_mysql() -> None:
    if is_mysql_provisioned():
        return
    if not (MYSQL_ROOT / "usr/sbin/mysqld").exists():
        _bootstrap_mysql()
    print("Initialising MySQL …", flush=True)
    half = MYSQL_TEMPLATE.with_name("template.half")
    shutil.rmtree(half, ignore_errors=True)
    inside = Path("/") / half.relative_to(MYSQL_ROOT)
    options = ["--initialize-insecure", "--user=root", f"--datadir={inside}", "--innodb-redo-log-capacity=8M"]
    _run(["chroot", str(MYSQL_ROOT), "mysqld", "--no-defaults", *options])
    # Every copy makes itself an identity of its own.
    (half / "auto.cnf").unlink(missing_ok=True)
    half.rename(MYSQL_TEMPLATE)


def _bootstrap_mysql() -> None:
    """Unpack MySQL beside its place and rename it there, so that half of it is never taken for all."""
    print("Fetching MySQL …", flush=True)
    half = MYSQL_ROOT.with_name("mysql.half")
    command = ["debootstrap", "--variant=minbase", f"--include={_MYSQL_PACKAGES}", _MYSQL_SUITE, str(half)]
    mirrors = _configured_mirrors()
    for mirror in mirrors:
        shutil.rmtree(half, ignore_errors=True)
        try:
            _run([*command, *mirror])
            break
        except subprocess.CalledProcessError as error:
            log = half / "debootstrap" / "debootstrap.log"
            error.stderr = log.read_text(errors="replace") if log.exists() else error.stderr
            if mirror is mirrors[-1]:
                raise
    shutil.rmtree(half / "var/cache/apt", ignore_errors=True)
    half.rename(MYSQL_ROOT)


def _configured_mirrors() -> list[list[str]]:
    """The Debian mirrors this machine already uses; last comes none, for which debootstrap has a default."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(RELEASE)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    rows = [line.split() for line in listed.splitlines()]
    found = [row[0] for row in rows if len(row) == 3 and row[1] == "Debian" and "security" not in row[0]]
    return [*([mirror] for mirror in dict.fromkeys(found)), []]


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=600
    )


if __name__ == "__main__":
    sys.exit(main())
