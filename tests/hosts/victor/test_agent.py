"""What the issue is about: the real agent loads us, offers our tools, runs the call, and remembers."""

import json

DEFAULT = {"code_search", "memory_recall", "memory_remember", "memory_context", "memory_forget"}
SECRET = "ghp_" + "a1B2" * 9
FIRST = (
    "Find where amounts are rounded in the codebase and read the code. We agreed to round half to "
    f"even because the auditors insist on it. The deploy token is {SECRET} by the way."
)
SECOND = "Search the codebase for how amounts must be rounded and update the invoice code."


def test_its_tools_are_offered_called_and_answered(host, ollama):
    host.cli("install-host", "victor")
    with ollama(
        [("code_search", {"query": "round amounts"}), "It is in billing/rounding.py."]
    ) as fake:
        done = host.agent(FIRST, fake.url)
    assert fake.violations == []
    assert set(done["tools"]) >= DEFAULT, "the live registry has them"
    assert fake.offered(0) >= {"code_search", "memory_recall", "memory_context"}
    (result,) = fake.tool_results(1)
    assert "billing/rounding.py" in result
    assert "def round_to_cents" in result
    assert done["answer"] == "It is in billing/rounding.py."


def test_a_failure_is_told_to_the_model_and_the_agent_goes_on(host, ollama):
    host.cli("install-host", "victor")
    wrong = ("memory_recall", {"query": "   "})
    with ollama([wrong, "There is nothing to recall."]) as fake:
        done = host.agent(FIRST, fake.url)
    assert fake.violations == []
    (result,) = fake.tool_results(1)
    assert "query" in result
    assert done["answer"] == "There is nothing to recall."


def test_what_was_said_is_recalled_by_the_next_process(host, ollama):
    host.cli("install-host", "victor")
    with ollama(["Noted: half to even."]) as fake:
        host.agent(FIRST, fake.url)
    assert host.imported(turns=2)["error"] is None
    with ollama(
        [("memory_recall", {"query": "how are amounts rounded, and why"}), "Half to even."]
    ) as fake:
        host.agent(SECOND, fake.url)
    assert fake.violations == []
    (result,) = fake.tool_results(1)
    assert "auditors insist" in result
    assert SECRET not in result
    kept = b"".join(one.read_bytes() for one in host.embeddings.rglob("*") if one.is_file())
    assert SECRET.encode() not in kept


def test_what_a_killed_host_left_is_read_at_the_next_start_and_waited_for(host, ollama):
    host.cli("install-host", "victor")
    with ollama(["Noted: half to even."]) as fake:
        # Without our plugin, as if the host had been killed before it could have anything read.
        host.shim.rename(host.shim.with_suffix(".away"))
        host.agent(FIRST, fake.url)
        host.shim.with_suffix(".away").rename(host.shim)
    assert not list(host.embeddings.rglob("hosts/victor/*.json"))
    with ollama(
        [("memory_recall", {"query": "how are amounts rounded, and why"}), "Half to even."]
    ) as fake:
        host.agent(SECOND, fake.url)
    assert "auditors insist" in fake.tool_results(1)[0]


def test_what_is_remembered_by_a_tool_is_there_for_the_command_line(host, ollama):
    host.cli("install-host", "victor")
    noted = ("memory_remember", {"text": "Invoices are rounded half to even.", "kind": "decision"})
    message = "Remember what we decided, note it, and update the code of the invoice: half to even."
    with ollama([noted, "Done."]) as fake:
        host.agent(message, fake.url)
    assert fake.violations == []
    assert "rounded half to even" in host.cli("recall", "how are invoices rounded")


def test_only_the_tools_that_are_chosen_are_registered(host, ollama):
    host.cli("install-host", "victor")
    with ollama(["Done."]) as fake:
        done = host.agent(FIRST, fake.url, VICTOR_MEMORY_TOOLS="memory_recall")
    assert set(done["tools"]) & DEFAULT == {"memory_recall"}


def test_the_package_name_is_enough_without_a_file(host, ollama):
    with ollama(["Done."]) as fake:
        done = host.agent(FIRST, fake.url, VICTOR_PLUGIN_PACKAGES=json.dumps(["victor_memory"]))
    assert set(done["tools"]) >= DEFAULT


def test_an_agent_starts_in_a_broken_environment_and_doctor_says_what_is_wrong(host, ollama):
    host.cli("install-host", "victor")
    broken = {"VICTOR_MEMORY_TOOLS": "no_such_tool"}
    with ollama(["Done."]) as fake:
        done = host.agent(FIRST, fake.url, **broken)
    assert not set(done["tools"]) & DEFAULT
    assert "read" in done["tools"]
    assert "victor tools" in host.cli("doctor", status=1, **broken)


def test_one_project_is_never_given_the_answer_of_another(host, ollama):
    host.cli("install-host", "victor")
    call = [("code_search", {"query": "round amounts"}), "It is there."]
    with ollama(call) as fake:
        host.agent(FIRST, fake.url)
    assert "billing/rounding.py" in fake.tool_results(1)[0]
    host.project.rename(host.root / "first")
    host.project.mkdir()
    (host.project / "other.py").write_text(
        "def round_amounts(x):\n    return x\n", encoding="utf-8"
    )
    with ollama(call) as fake:
        host.agent(FIRST, fake.url)
    assert "other.py" in fake.tool_results(1)[0]
    assert "billing/rounding.py" not in fake.tool_results(1)[0]
