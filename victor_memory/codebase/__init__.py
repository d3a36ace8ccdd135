"""Codebase memory: `files` chooses, `chunking` cuts, `indexer` keeps up to date, `memory` finds."""
