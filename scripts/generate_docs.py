"""Write the generated tables of the documentation: settings, stores, embedders, hooks, tools.

    python scripts/generate_docs.py [--check]

A table stands between two comments, `<!-- generated: NAME -->` and `<!-- end -->`, in any page
under `docs/`. Every stable store must be installed, for its options: `pip install .[sqlite]`. With
`--check` nothing is written; the exit code says whether a page is out of date.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from victor_memory import hookspecs
from victor_memory.catalogue import BUILTIN_PROVIDERS
from victor_memory.embedders.catalogue import BUILTIN_EMBEDDERS
from victor_memory.hosts.setup.hosts import HOSTS
from victor_memory.plugins import HOOKS
from victor_memory.settings import MemorySettings, variable
from victor_memory.specs import Stability
from victor_memory.tools import CORE, TOOLS
from victor_memory.types import Traits

DOCS = Path(__file__).resolve().parent.parent / "docs"
STABLE = [spec for spec in BUILTIN_PROVIDERS if spec.stability is Stability.STABLE]
BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def settings() -> str:
    """Return the table of environment variables."""
    rows = []
    for name, field in MemorySettings.model_fields.items():
        default = field.get_default()
        shown = "" if default in (None, ()) else f"`{default}`"
        rows.append([f"`{variable(name)}`", shown, field.description or ""])
    return table(["Variable", "Default", "Meaning"], rows)


def options() -> str:
    """Return the table of each stable store's own options."""
    rows = []
    for spec in STABLE:
        for name, field in spec.load().options_model.model_fields.items():
            if name != "collection":
                shown = f"`VICTOR_{spec.name.upper()}_{name.upper()}`"
                rows.append([shown, f"`{field.default}`", field.description or ""])
    return table(["Variable", "Default", "Meaning"], rows)


def stores() -> str:
    """Return the table of stores."""
    rows = []
    for spec in BUILTIN_PROVIDERS:
        install = f"`{spec.pip_line}`" if spec.extra else "in the default install"
        stability = "experimental" if spec.stability is Stability.EXPERIMENTAL else "stable"
        rows.append([f"`{spec.name}`", spec.description, stability, install])
    return table(["Name", "What it is", "Stability", "Install"], rows)


def traits() -> str:
    """Return the table of what each stable store can do."""
    names = list(Traits.__dataclass_fields__)
    rows = [
        [f"`{spec.name}`", *("yes" if getattr(spec.load().traits, one) else "no" for one in names)]
        for spec in STABLE
    ]
    return table(["Store", *(one.replace("_", " ") for one in names)], rows)


def embedders() -> str:
    """Return the table of embedders."""
    rows = [
        [
            f"`{spec.name}`",
            spec.description,
            f"`{spec.pip_line}`" if spec.extra else "in the default install",
        ]
        for spec in BUILTIN_EMBEDDERS
    ]
    return table(["Name", "What it is", "Install"], rows)


def hooks() -> str:
    """Return the list of hooks with their signatures."""
    parts = []
    for name in HOOKS:
        hook = getattr(hookspecs, name)
        signature = str(inspect.signature(hook)).replace("'", "")
        parts.append(f"### `{name}`\n\n`{name}{signature}`\n\n{inspect.getdoc(hook)}\n")
    return "\n" + "\n".join(parts) + "\n"


def tools() -> str:
    """Return the table of agent tools."""
    rows = []
    for tool in TOOLS:
        arguments = ", ".join(f"`{name}`" for name in tool.parameters["properties"])
        offered = "yes" if tool.name in CORE else "on request"
        rows.append([f"`{tool.name}`", offered, arguments, tool.description])
    return table(["Tool", "Offered", "Arguments", "What a model is told"], rows)


def tool_arguments() -> str:
    """Return a section for each agent tool: what it may do, and its arguments."""
    parts = []
    for tool in TOOLS:
        may = "reads only" if tool.read_only else "deletes" if tool.destructive else "writes"
        rows = []
        for name, schema in tool.parameters["properties"].items():
            kind = schema["type"] if schema["type"] != "array" else f"{schema['items']['type']}s"
            choices = schema.get("enum") or schema.get("items", {}).get("enum")
            told = f"{kind}: {', '.join(f'`{one}`' for one in choices)}" if choices else kind
            needed = name in tool.parameters.get("required", ())
            default = (
                "required" if needed else f"`{schema['default']}`" if "default" in schema else ""
            )
            rows.append([f"`{name}`", told, default, schema["description"]])
        shown = (
            table(["Argument", "Type", "Default", "Meaning"], rows) if rows else "No arguments.\n"
        )
        parts.append(f"### `{tool.name}`\n\n{tool.title}; {may}.\n\n{shown}")
    return "\n" + "\n".join(parts) + "\n"


def agents() -> str:
    """Return the table of agents that `install-host` sets up."""
    rows = []
    for host in HOSTS:
        files = (host.user, host.project)
        shown = [" or ".join(f"`{one}`" for one in file.paths) if file else "" for file in files]
        cells = (one.replace("|", "\\|") for one in shown)
        rows.append([f"`{host.name}`", f"[{host.title}]({host.source})", *cells])
    return table(["Name", "Agent, and its page", "`--user`", "`--project`"], rows)


TABLES: dict[str, Callable[[], str]] = {
    one.__name__: one
    for one in (settings, options, stores, traits, embedders, hooks, agents, tools, tool_arguments)
}


def render(page: str) -> str:
    """Return *page* with every generated block made anew."""
    return BLOCK.sub(lambda match: match[1] + TABLES[match[2]]() + match[3], page)


def main() -> int:
    """Write the pages, or check them; return the exit code."""
    check = "--check" in sys.argv[1:]
    stale = []
    for path in sorted(DOCS.glob("*.md")):
        page = path.read_text(encoding="utf-8")
        fresh = render(page)
        if fresh != page:
            stale.append(path.name)
            if not check:
                path.write_text(fresh, encoding="utf-8")
    print(f"{'out of date' if check else 'written'}: {', '.join(stale) or 'nothing'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
