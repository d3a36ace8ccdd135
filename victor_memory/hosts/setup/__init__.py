"""Set-up of agents that read their MCP servers from a settings file.

`hosts` is the table of agents, `install` changes their files, and the `*_edit` modules change one
value in a text and leave everything else as it was written.
"""
