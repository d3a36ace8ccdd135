"""What other agents wrote, read into the conversation memory; and the memory written out."""
