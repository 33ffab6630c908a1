"""Rules of the data: what holds in every row, found in training rows or declared, checked on any tables."""
