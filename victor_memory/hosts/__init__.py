"""Hosts: what connects this package to the agents that load it."""
