"""From files to a checked database: reading, types, keys."""
