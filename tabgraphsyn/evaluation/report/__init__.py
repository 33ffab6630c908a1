"""One self-contained HTML page per sweep point: what was made, how close it is, and whether it copies."""
