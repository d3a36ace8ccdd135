"""The packages named in `packages.txt`, fetched by the ordinary client of each registry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from static_training.archives import is_archive

LISTED: Final = Path(__file__).with_name("packages.txt")
SOURCES: Final = "debian.list"
TIMEOUT: Final = 600
"""Seconds for one package."""


class Package(NamedTuple):
    """A package of exactly one version; the *held_out* ones are for measuring."""

    registry: str
    name: str
    version: str
    licence: str
    held_out: bool

    @property
    def key(self) -> str:
        """A name for files: `npm+@codemirror+view`."""
        return f"{self.registry}+{self.name.replace('/', '+')}"


def listed(path: Path = LISTED) -> list[Package]:
    """Return the packages of *path*, in its order."""
    packages = []
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            registry, name, version, licence, *marks = line.split()
            packages.append(Package(registry, name, version, licence, marks == ["held-out"]))
    return packages


def fetch(package: Package, work: Path, *, frozen: bool) -> list[Path]:
    """Return the archives of *package* below *work*, fetched unless they are there.

    A package that the registry does not have leaves a note in its directory and is not asked for
    again; remove the note to try once more. When *frozen*, nothing is fetched.
    """
    folder = work / "archives" / package.key
    note = folder / "absent.txt"
    if not (found := _archives(folder)) and not note.exists() and not frozen:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(  # noqa: S603 - the commands of three registries, with names of the list
            _command(package, work),
            cwd=folder,
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=TIMEOUT,
        )
        found = _archives(folder)
        if done.returncode or not found:
            for path in found:
                path.unlink()
            found = []
            note.write_text(done.stdout + done.stderr, "utf-8")
    return found


def debian_mirror() -> str:
    """Return the address of the Debian archive that this machine's apt asks first.

    Raises:
        ValueError: apt knows none.

    """
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")  # noqa: S603 - a fixed command
    found = done.stdout.split()
    if not found:
        msg = "apt-get knows no Debian archive here. Name one with --mirror."
        raise ValueError(msg)
    return found[0].rstrip("/")


def prepare(work: Path, mirror: str, suite: str) -> None:
    """Write apt settings of our own below *work* and read the lists of *suite*, sources too."""
    lists = work / "apt" / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    keyring = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    lines = [f"{kind} {keyring} {mirror} {suite} main\n" for kind in ("deb", "deb-src")]
    (work / "apt" / SOURCES).write_text("".join(lines), "utf-8")
    subprocess.run([*_apt(work), "update"], check=True, capture_output=True)  # noqa: S603 - see above


def _command(package: Package, work: Path) -> list[str]:
    match package.registry:
        case "pypi":
            wanted = f"{package.name}=={package.version}"
            return [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--no-deps",
                "--only-binary=:all:",
                wanted,
            ]
        case "npm":
            return ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
        case "debian":
            return [*_apt(work), "download", f"{package.name}={package.version}"]
        case "debian-source":
            return [*_apt(work), "source", "--download-only", f"{package.name}={package.version}"]
    msg = f"{package.registry!r} is no registry: write pypi, npm, debian or debian-source."
    raise ValueError(msg)


def _apt(work: Path) -> list[str]:
    folder = (work / "apt").resolve()
    settings = {
        "APT::Sandbox::User": "root",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / SOURCES,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
    }
    return ["apt-get", "-q", *(f"-o{key}={value}" for key, value in settings.items())]


def _archives(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if is_archive(path))
