"""Conversation memory: what was said, decided and learned, kept across sessions and found again."""
