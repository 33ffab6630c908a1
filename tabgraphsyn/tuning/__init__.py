"""Search over settings: trials are sweep points, asked for and told under the store's lock; nobody has to stay."""
