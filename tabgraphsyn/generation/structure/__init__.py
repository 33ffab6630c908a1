"""The structure of keys: which row hangs on which."""
