"""The MCP server: both memories for every agent that speaks the Model Context Protocol.

| module | what |
|---|---|
| `serving` | one process: standard streams or HTTP, from the first byte to a clean end |
| `stdio` | JSON-RPC lines on the standard streams, which belong to the protocol alone |
| `http` | streamable HTTP on this machine only, with a token |
| `server` | the protocol's requests, answered |
| `documents` | resources and prompts |
| `projects` | which project a client means, and the open memories of each |
"""
