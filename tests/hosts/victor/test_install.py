"""`install-host victor`: what it writes, that it may be repeated, and that it can be undone."""

import importlib.metadata
import json
from pathlib import Path


def files(host):
    site = Path(str(importlib.metadata.distribution("victor-ai").locate_file("")))
    ours = sorted(str(one) for one in site.glob("victor_memory_code_search*"))
    plugins = host.home / ".victor" / "plugins"
    return ours + sorted(str(one) for one in plugins.rglob("*") if "__pycache__" not in one.parts)


def test_a_dry_run_changes_nothing(host):
    said = host.cli("install-host", "victor", "--code-search", "--dry-run")
    assert str(host.shim) in said
    assert files(host) == []


def test_it_may_be_repeated_and_undone(host):
    host.cli("install-host", "victor", "--code-search")
    once = files(host)
    assert str(host.shim) in once
    said = json.loads(
        host.run("-m", "victor_memory", "install-host", "victor", "--code-search", "--json").stdout
    )
    assert {one["action"] for one in said["changes"]} == {"keep"}
    assert files(host) == once
    host.cli("install-host", "victor", "--uninstall")
    assert files(host) == []
    host.cli("install-host", "victor", "--uninstall")


def test_setting_it_up_again_leaves_the_choice_of_code_search(host):
    host.cli("install-host", "victor", "--code-search")
    once = files(host)
    host.cli("install-host", "victor")
    assert files(host) == once


def test_pip_knows_the_distribution_that_was_written(host):
    host.cli("install-host", "victor", "--code-search")
    told = host.run("-m", "pip", "show", "--files", "victor-memory-code-search").stdout
    assert "entry_points.txt" in told
    host.run("-m", "pip", "uninstall", "--yes", "victor-memory-code-search")
    assert files(host) == [str(host.shim.parent), str(host.shim)]


def test_a_file_of_somebody_elses_is_left_alone(host):
    host.shim.parent.mkdir(parents=True)
    host.shim.write_text("class Plugin: ...\n", encoding="utf-8")
    for option in ("--code-search", "--uninstall"):
        assert "was not written by this program" in host.cli(
            "install-host", "victor", option, status=1
        )
    assert host.shim.read_text("utf-8") == "class Plugin: ...\n"
    assert len(files(host)) == 2


def test_a_cache_that_does_not_know_us_is_removed(host):
    cache = host.home / ".victor" / "cache" / "entrypoints.json"
    cache.parent.mkdir(parents=True)
    cache.write_text("{}", encoding="utf-8")
    host.cli("install-host", "victor")
    assert not cache.exists()


def test_doctor_looks_at_every_seam(host):
    before = host.cli("doctor")
    assert "install-host victor" in before
    host.cli("install-host", "victor")
    found = json.loads(host.run("-m", "victor_memory", "doctor", "--json").stdout)
    checks = {one["name"]: one["ok"] for one in found["checks"] if one["name"].startswith("victor")}
    assert checks == {
        "victor": None,
        "victor plugin": True,
        "victor tools": True,
        "victor memory": True,
        "victor store": True,
        "victor code search": None,
        "victor conversations": None,
    }
