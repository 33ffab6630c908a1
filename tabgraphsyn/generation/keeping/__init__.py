"""What keeps the rules of the data in rows that were made: in a row, through keys, within a parent."""
