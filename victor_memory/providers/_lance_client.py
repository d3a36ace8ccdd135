"""The LanceDB client, imported in half its time: without the REST client that it would load.

`lancedb` imports the models of a namespace server's REST interface, whose package also runs its
clients: most of the time of `import lancedb`, for something that no local table uses.
"""

from victor_memory.providers._deferred import defer

defer("lance_namespace_urllib3_client")

import lancedb  # noqa: E402 - after the line above, or it does nothing
from lancedb.expr import col  # noqa: E402 - as above
from lancedb.index import FTS, IvfSq  # noqa: E402 - as above
from lancedb.query import MatchQuery  # noqa: E402 - as above

__all__ = ["FTS", "IvfSq", "MatchQuery", "col", "lancedb"]
