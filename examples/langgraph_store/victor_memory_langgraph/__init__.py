"""LangGraph's store on victor_memory: long-term memory of a graph, on disk and searched locally."""

from victor_memory_langgraph.store import VictorMemoryStore

__all__ = ["VictorMemoryStore"]
