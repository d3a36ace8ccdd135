"""Vector stores behind one protocol: `base` holds the protocol, every other file one store."""
