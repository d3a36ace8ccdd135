"""The conformance kit finds what it is there to find: each seeded bug, by the promise it breaks."""

import ast
import asyncio
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import seeded_in_erasure
import seeded_in_files
import seeded_in_filters
import seeded_in_life
import seeded_in_records
import seeded_in_search
from filelock import FileLock
from journal_store import JournalProvider
from seeding import Quick

import victor_memory
from victor_memory.config import EmbeddingConfig
from victor_memory.errors import ContractError
from victor_memory.providers.memory import MemoryProvider
from victor_memory.testing import Deviation, ProviderContract, check_congruence
from victor_memory.testing._process import Worker

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent
PACKAGE = Path(victor_memory.__file__).parent
RUNS = (
    (seeded_in_records, seeded_in_search),
    (seeded_in_filters, seeded_in_life),
    (seeded_in_files, seeded_in_erasure),
)
"""The modules with bugs, by the process that runs the kit on them."""
BUGS = {name: breaks for run in RUNS for module in run for name, breaks in module.BUGS.items()}


class TestCorrectPersistentStore(Quick, ProviderContract):
    """What is right passes: the bugs are found by what they break, not by chance."""

    provider_class = JournalProvider


# -- seeded bugs ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """The names of the failed tests, by bug; the kit runs on all of them beforehand."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return run_kit(tmp_path_factory.mktemp("seeded"))
    # Of the workers of pytest-xdist, which share this directory, one does it for all.
    shared = tmp_path_factory.getbasetemp().parent / "seeded.json"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            found = run_kit(tmp_path_factory.mktemp("seeded"))
            shared.write_text(json.dumps(found), encoding="utf-8")
        return json.loads(shared.read_text(encoding="utf-8"))


def run_kit(place):
    runs = {}
    for number, modules in enumerate(RUNS):
        report = place / f"{number}.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider"]
        # Other processes import the stores by the names of their modules.
        command += ["--import-mode=prepend"]
        command += [f"--junitxml={report}", f"--basetemp={place / str(number)}"]
        command += [module.__file__ for module in modules]
        runs[report] = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env=_environment(),
        )
    failed = defaultdict(list)
    for report, process in runs.items():
        output, _ = process.communicate()
        assert process.returncode == pytest.ExitCode.TESTS_FAILED, output
        for case in ET.parse(report).iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed[case.get("classname").rpartition(".")[2]].append(case.get("name"))
    return failed


@pytest.mark.parametrize("bug", BUGS)
def test_bug_breaks_exactly_its_promises(broken, bug):
    found = {one for one in broken.get(f"Test{bug}", ()) if "congruence" not in one}
    assert BUGS[bug][0] in found
    assert found == {*BUGS[bug]}


def test_every_subject_has_bugs():
    subjects = {one.__name__ for one in ProviderContract.__bases__}
    met = {
        one.__name__
        for one in ProviderContract.__bases__
        for breaks in BUGS.values()
        if any(name in vars(one) for name in breaks)
    }
    assert subjects - met == {"CongruencePromises"}


# -- congruence -----------------------------------------------------------------------------------

DIFFERENT = (
    seeded_in_records.AppendsInsteadOfReplacing,
    seeded_in_records.CountsWhatWasAsked,
    seeded_in_records.DeletesEverything,
    seeded_in_search.FiltersAfterTheLimit,
    seeded_in_search.KeepsOldVectors,
    seeded_in_records.LosesTheLastPage,
    seeded_in_search.ReturnsDistances,
    seeded_in_search.ReturnsOneTooFew,
    seeded_in_search.ScalesCosines,
    seeded_in_records.SharesColumns,
    seeded_in_search.IndexesOnce,
    seeded_in_filters.InNothingIsNoCondition,
    seeded_in_filters.NotOfNullIsNull,
    seeded_in_filters.TakesBooleansForNumbers,
    seeded_in_files.ForgetsDeletes,
    seeded_in_files.ReplaysFirstVersions,
)


def configured(**fields):
    return EmbeddingConfig(
        embedding_model_type="hashing", embedding_model_name="hashing-32", **fields
    )


@pytest.mark.parametrize("store", DIFFERENT)
async def test_congruence_finds(tmp_path, store):
    config = configured(persist_directory=tmp_path)
    with pytest.raises(AssertionError, match=r"seed 7, operation \d+ of 600"):
        await check_congruence(lambda: store(config), seed=7, operations=600)


async def test_congruence_repeats_itself():
    store = seeded_in_records.CountsWhatWasAsked
    messages = set()
    for _ in range(3):
        with pytest.raises(AssertionError) as caught:
            await check_congruence(lambda: store(configured()), seed=3)
        messages.add(str(caught.value))
    assert len(messages) == 1
    assert "delete([" in messages.pop()


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
@pytest.mark.parametrize("seed", range(5))
async def test_memory_is_congruent_with_itself(seed, metric):
    config = configured(distance_metric=metric)
    await check_congruence(lambda: MemoryProvider(config), seed=seed)


# -- the contract class ---------------------------------------------------------------------------


def test_every_promise_is_a_sentence():
    promises = ProviderContract.promises()
    assert len(promises) > 150
    assert [name for name, said in promises.items() if not said.endswith(".")] == []


def test_no_promise_hides_another():
    subjects = ProviderContract.__bases__
    names = [name for one in subjects for name in vars(one) if name.startswith("test_")]
    assert sorted(names) == sorted(ProviderContract.promises())


def test_replacing_a_test_is_refused():
    with pytest.raises(ContractError, match="replaces the standard test test_limit"):
        type("TestStore", (ProviderContract,), {"test_limit": lambda self: None})


def test_hiding_a_test_is_refused():
    with pytest.raises(ContractError, match="test_limit"):
        type("TestStore", (ProviderContract,), {"test_limit": None})


def test_replacing_a_test_by_a_mixin_is_refused():
    mixin = type("Mixin", (), {"test_limit": lambda self: None})
    with pytest.raises(ContractError, match="test_limit"):
        type("TestStore", (mixin, ProviderContract), {})


def test_other_tests_may_be_added():
    contract = type("TestStore", (ProviderContract,), {"test_of_its_own": lambda self: None})
    assert "test_of_its_own" in contract.promises()


def test_deviation_from_nothing_is_refused():
    deviations = {"test_no_such_thing": Deviation("never", "reason")}
    with pytest.raises(ContractError, match="test_no_such_thing"):
        type("TestStore", (ProviderContract,), {"deviations": deviations})


@pytest.mark.parametrize(
    ("kind", "reason"), [("sometimes", "reason"), ("never", " "), ("never", "")]
)
def test_deviation_needs_kind_and_reason(kind, reason):
    with pytest.raises(ContractError, match="deviation"):
        Deviation(kind, reason)


def test_deviations_end_with_the_class_that_declares_them():
    deviations = {"test_limit": Deviation("not yet", "reason")}
    parent = type("TestParent", (ProviderContract,), {"deviations": deviations})
    heir = type("TestHeir", (parent,), {})
    repaired = type("TestRepaired", (parent,), {"deviations": {}})
    assert heir.test_limit.deviation.kind == "not yet"
    assert repaired.test_limit is ProviderContract.test_limit
    assert not hasattr(ProviderContract.test_limit, "deviation")


# -- as a third party uses it ---------------------------------------------------------------------

STORES = """
    import pytest
    from victor_memory.errors import ProviderError
    from victor_memory.testing import Deviation, ProviderContract
    from seeded_in_records import CutsLongText, MemoryProvider

    LONG = "test_long_text_comes_back"

    class TestDeclared(ProviderContract):
        provider_class = CutsLongText
        deviations = {LONG: Deviation("never", "pages of 64 KB")}

    class TestKept(ProviderContract):
        provider_class = MemoryProvider
        deviations = {LONG: Deviation("not yet", "no such thing")}

    class TestFailsOtherwise(ProviderContract):
        provider_class = CutsLongText
        deviations = {LONG: Deviation("never", "pages of 64 KB", raises=ProviderError)}

    class TestUndeclared(ProviderContract):
        provider_class = CutsLongText

    class TestNothing(ProviderContract):
        pass

    class TestOptions(ProviderContract):
        provider_class = MemoryProvider

        @pytest.fixture
        def options(self):
            return {"no_such_option": 1}
"""


def test_kit_needs_pytest_alone(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", _environment()["PYTHONPATH"])
    pytester.makepyfile(STORES)
    result = pytester.runpytest_subprocess(
        "-p", "no:asyncio", "-p", "no:hypothesispytest", "-k", "test_long_text", "-rA"
    )
    result.assert_outcomes(passed=0, xfailed=1, failed=3, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "*assert 65536 == 9*",
            "XFAIL *TestDeclared* - never: pages of 64 KB",
            "*ContractError: TestNothing does not say what it tests. Set provider_class.",
            "*ConfigurationError: *no_such_option*",
            "*XPASS(strict)* not yet: no such thing",
            "FAILED *TestFailsOtherwise*",
            "FAILED *TestUndeclared*",
        ]
    )


def test_skipped_promises_say_why(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", _environment()["PYTHONPATH"])
    pytester.makepyfile(STORES)
    result = pytester.runpytest_subprocess("-p", "no:asyncio", "-k", "TestKept and deletes", "-rs")
    result.stdout.fnmatch_lines(["SKIPPED * In-process memory does not declare 'persistent': *"])


def test_importing_the_kit_imports_no_pytest():
    code = "import sys, victor_memory.testing; print('pytest' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        check=True,
        env=_environment(),
    )
    assert found.stdout.strip() == "False"


def test_only_the_kit_imports_pytest():
    importers = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(
            name.split(".")[0] == "pytest"
            for name in [getattr(node, "module", None) or "", *(one.name for one in node.names)]
        )
    }
    assert importers == {"testing"}


def test_failing_process_says_why():
    missing = type("MissingProvider", (MemoryProvider,), {"__module__": "no_such_module"})
    worker = Worker(missing, configured())
    try:
        with pytest.raises(AssertionError, match="No module named 'no_such_module'"):
            asyncio.run(worker.answer())
    finally:
        worker.close()


def _environment():
    paths = [str(HERE), str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
