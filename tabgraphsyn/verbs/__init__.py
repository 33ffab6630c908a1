"""The commands that read or change what launch has made."""
