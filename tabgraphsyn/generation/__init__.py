"""From a bundle to new keys, rows and files."""
