"""``python -m tabgraphsyn VERB``: the same as the command ``tabgraphsyn VERB``."""

import sys

from tabgraphsyn.verbs.cli import main

if __name__ == "__main__":
    sys.exit(main())
