"""By which code a stage is computed: its version, its hash, and the copy that queued jobs run from."""
