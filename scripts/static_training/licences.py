"""What a package says its licence is, read from its archives, and whether that is permissive."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import Final

from static_training.registries import Package

PERMISSIVE: Final = re.compile(
    r"\b(?:Apache|MIT|Expat|BSD|ISC|BSL|Boost|Zlib|PSF|Python|PostgreSQL|WordNet|Ruby|libpng|"
    r"Go$|Unlicense|Public[- ]Domain|HPND|MIT-CMU|Historical|CC0|TCL|UPL|0BSD|X11)",
    re.IGNORECASE,
)
COPYLEFT: Final = re.compile(r"\b(?:[AL]?GPL|MPL|EPL|CDDL|EUPL|CC-BY-SA|SSPL|BUSL)", re.IGNORECASE)
MANIFEST: Final = "package.json"
STANZA: Final = re.compile(r"\n\s*\n")
FILES: Final = re.compile(r"^Files:\s*\*", re.MULTILINE)
LICENCE: Final = re.compile(r"^License: *(\S.*)$", re.MULTILINE)


def declared(package: Package, folder: Path) -> str:
    """Return the licence that the archives of *package* in *folder* name; empty if they name none.

    Of npm packages that of `package.json`, of wheels that of `METADATA`, of Debian's what
    `debian/copyright` says of the files that it does not treat apart.
    """
    found = next(_texts(package, folder), "")
    match package.registry:
        case "npm":
            licence = json.loads(found or "{}").get("license", "")
            return str(licence.get("type", "") if isinstance(licence, dict) else licence)
        case "pypi":
            headers = HeaderParser().parsestr(found)
            classified = [
                x.rpartition("::")[2].strip()
                for x in headers.get_all("Classifier", [])
                if x.startswith("License ::")
            ]
            given = headers.get("License-Expression") or "; ".join(classified)
            return given or (headers.get("License") or "").strip().split("\n")[0]
    stanzas = STANZA.split(found)
    for stanza in [*filter(FILES.search, stanzas), *stanzas]:
        if licence := LICENCE.search(stanza):
            return licence[1].strip()
    said = re.findall(r"Apache License|\bMIT\b|\bBSD\b|\bISC\b|General Public|Boost", found)
    return ", ".join(dict.fromkeys(said))


def is_permissive(licence: str) -> bool:
    """Return whether *licence* allows what a permissive one does, at the user's choice at least."""
    alternatives = re.split(r"\bor\b|/|\|", licence, flags=re.IGNORECASE)
    return any(PERMISSIVE.search(one) and not COPYLEFT.search(one) for one in alternatives)


def _texts(package: Package, folder: Path) -> Iterator[str]:
    """Yield the text of what names the licence, from each archive in *folder* that has it."""
    for archive in sorted(folder.iterdir()):
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as opened:
                names = [x for x in opened.namelist() if x.endswith(".dist-info/METADATA")]
                yield opened.read(names[0]).decode("utf-8", "replace")
        elif archive.suffix == ".deb":
            with (
                subprocess.Popen(  # noqa: S603 - Debian's own reader of its archives
                    ["dpkg-deb", "--fsys-tarfile", str(archive)],  # noqa: S607 - found by PATH
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,  # it complains when no more is read of it
                ) as process,
                tarfile.open(fileobj=process.stdout, mode="r|") as packed,
            ):
                yield from _members(packed, f"/usr/share/doc/{package.name}/copyright")
        elif ".debian.tar" in archive.name:
            with tarfile.open(archive) as packed:
                yield from _members(packed, "debian/copyright")
        elif package.registry == "npm" and archive.suffix == ".tgz":
            with tarfile.open(archive) as packed:
                yield from _members(packed, MANIFEST)


def _members(packed: tarfile.TarFile, end: str) -> Iterator[str]:
    for member in packed:
        at_the_top = end != MANIFEST or member.name.count("/") == 1
        if at_the_top and member.isfile() and member.name.endswith(end):
            stream = packed.extractfile(member)
            if stream is not None:
                yield stream.read().decode("utf-8", "replace")
