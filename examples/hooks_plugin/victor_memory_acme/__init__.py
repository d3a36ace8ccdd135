"""What a company might add to victor_memory: an embedder, a redactor, a tool and a command."""

import re

from victor_memory import CommandSpec, EmbedderSpec, Redaction, ToolSpec, hookimpl

BADGE = re.compile(r"\bACME-\d{6}\b")


@hookimpl
def victor_memory_register_embedders():
    """Add an embedder, chosen by VICTOR_EMBEDDING_MODEL_TYPE=trigrams."""
    return [EmbedderSpec("trigrams", "victor_memory_acme.trigrams:TrigramEmbedder", "Trigrams")]


@hookimpl
def victor_memory_register_redactors():
    """Keep badge numbers out of every memory; they are gone before anything is embedded."""
    return [without_badges]


def without_badges(text):
    """Return *text* without badge numbers, and a label for each."""
    cleaned, count = BADGE.subn("[redacted:badge]", text)
    return Redaction(cleaned, ("badge",) * count)


@hookimpl
def victor_memory_register_tools():
    """Offer agents the decisions of this project, newest first."""
    return [
        ToolSpec(
            name="acme_decisions",
            description="List the latest decisions of this project. Takes how many.",
            parameters={
                "type": "object",
                "properties": {"limit": {"type": "integer", "minimum": 1}},
                "additionalProperties": False,
            },
            run=latest_decisions,
        )
    ]


async def latest_decisions(memory, limit=5):
    """Return the texts of the latest decisions."""
    found = await memory.conversation.recent(limit, kinds=["decision"])
    return {"decisions": [one.text for one in found]}


@hookimpl
def victor_memory_register_commands():
    """Add `victor-memory badge TEXT`, which shows what the redactor leaves of a text."""
    return [CommandSpec("badge", badge, "Show what is stored of a text with badge numbers.")]


def badge(text: str) -> None:
    """Print *text* without badge numbers."""
    print(without_badges(text).text)
