"""A plugin works, or breaks alone."""

import sys
import types

import pytest

from victor_memory import EmbedderSpec, MemorySettings, ProviderSpec, hookimpl, open_runtime
from victor_memory.errors import PluginError
from victor_memory.plugins import HOOKS, Plugins
from victor_memory.providers.memory import MemoryProvider


def plugin(**hooks):
    module = types.ModuleType("plugin")
    for name, function in hooks.items():
        setattr(module, name, hookimpl(function))
    return module


def returning(*items):
    return lambda: items


PROVIDERS = "victor_memory_register_providers"


def test_built_ins_come_through_the_same_hook():
    names = [one.name for one in Plugins().items(PROVIDERS)]
    assert names[:2] == ["lancedb", "memory"]


def test_a_plugin_adds_to_what_is_built_in():
    plugins = Plugins()
    plugins.register(plugin(**{PROVIDERS: returning(ProviderSpec("mine", MemoryProvider))}), "mine")
    assert [one.name for one in plugins.items(PROVIDERS)][-1] == "mine"
    assert [(one.name, one.error) for one in plugins.reports] == [("mine", None)]


def test_a_plugin_that_raises_is_discarded_and_the_others_are_heard():
    def broken():
        msg = "no"
        raise ValueError(msg)

    plugins = Plugins()
    plugins.register(plugin(**{PROVIDERS: broken}), "broken")
    plugins.register(plugin(**{PROVIDERS: returning(ProviderSpec("mine", MemoryProvider))}), "mine")
    assert [one.name for one in plugins.items(PROVIDERS)][-1] == "mine"
    report = {one.name: one.error for one in plugins.reports}
    assert report["mine"] is None
    assert f"{PROVIDERS} failed: ValueError: no" in report["broken"]
    assert [one.name for one in plugins.items(PROVIDERS)][-1] == "mine"


@pytest.mark.parametrize("items", [("not a spec",), (ProviderSpec("lancedb", MemoryProvider),), 3])
async def test_what_nobody_can_use_costs_only_its_plugin(tmp_path, items, monkeypatch):
    module = plugin(**{PROVIDERS: lambda: items})
    monkeypatch.setattr(Plugins, "load_entry_points", lambda self: self.register(module, "odd"))
    async with open_runtime(MemorySettings(embeddings_dir=tmp_path), project=tmp_path) as memory:
        assert [one.name for one in memory.plugins.reports if one.error] == ["odd"]
        assert memory.registries["codebase"].spec("lancedb").title == "LanceDB"


def test_a_misspelt_hook_is_an_error_that_lists_the_hooks():
    plugins = Plugins()
    with pytest.raises(PluginError, match="no hook victor_memory_register_provider;.*providers"):
        plugins.register(plugin(victor_memory_register_provider=returning()), "misspelt")
    assert plugins.reports[0].error


def test_a_hook_with_an_unknown_argument_is_an_error():
    plugins = Plugins()
    with pytest.raises(PluginError, match="unknown_argument"):
        plugins.register(plugin(victor_memory_provider_opened=lambda unknown_argument: None), "odd")


def test_a_disabled_plugin_is_not_loaded(tmp_path, monkeypatch):
    installed(tmp_path, monkeypatch, "explosive", "raise SystemError('loaded')\n")
    plugins = Plugins(disabled=["explosive"])
    plugins.load_entry_points()
    assert [(one.name, one.disabled, one.error) for one in plugins.reports] == [
        ("explosive", True, None)
    ]


def test_entry_points_are_found_loaded_and_reported_with_their_distribution(tmp_path, monkeypatch):
    installed(
        tmp_path, monkeypatch, "good",
        "from victor_memory import EmbedderSpec, hookimpl\n"
        "@hookimpl\n"
        "def victor_memory_register_embedders():\n"
        "    return [EmbedderSpec('theirs', 'nowhere:Model')]\n",
    )  # fmt: skip
    installed(tmp_path, monkeypatch, "explosive", "raise SystemError('at import')\n")
    plugins = Plugins()
    plugins.load_entry_points()
    reports = {one.name: one for one in plugins.reports}
    assert (reports["good"].distribution, reports["good"].version) == ("good-dist", "1.2")
    assert reports["good"].error is None
    assert "SystemError: at import" in reports["explosive"].error
    found = plugins.items("victor_memory_register_embedders")
    assert EmbedderSpec("theirs", "nowhere:Model") in found


def installed(directory, monkeypatch, name, code):
    """Install a distribution with one plugin, as pip would leave it."""
    (directory / f"plugin_{name}.py").write_text(code, encoding="utf-8")
    info = directory / f"{name}_dist-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}-dist\nVersion: 1.2\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(
        f"[victor_memory]\n{name} = plugin_{name}\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(directory)
    monkeypatch.delitem(sys.modules, f"plugin_{name}", raising=False)


async def test_notifications_tell_of_opening_and_a_failing_listener_is_discarded(
    tmp_path, monkeypatch
):
    opened = []

    def deaf(provider):
        msg = f"will not hear of {provider}"
        raise RuntimeError(msg)

    def load(plugins):
        plugins.register(
            plugin(
                victor_memory_provider_opened=lambda memory, provider, collection: opened.append(
                    (memory, provider, collection)
                )
            ),
            "ear",
        )
        plugins.register(plugin(victor_memory_provider_opened=deaf), "deaf")

    monkeypatch.setattr(Plugins, "load_entry_points", load)
    settings = MemorySettings(
        embeddings_dir=tmp_path, vector_store="memory", embedding_model_type="hashing"
    )
    async with open_runtime(settings, project=tmp_path) as memory:
        await memory.conversation.remember("something")
        assert opened == [("conversation", "memory", memory.scope.project)]
        assert [one.name for one in memory.plugins.reports if one.error] == ["deaf"]


def test_every_hook_is_specified_once():
    assert len(HOOKS) == len(set(HOOKS)) == 8
