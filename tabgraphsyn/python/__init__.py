"""The Python interface, ``import tabgraphsyn as tgs``: configs, stages and store are the command line's."""

import logging

# A library says nothing on its own: without a handler, warnings of the gate would appear beside what is shown.
logging.getLogger("tabgraphsyn").addHandler(logging.NullHandler())
