"""What stands in an output folder: the store, its records and locks, whose it is, and the ledger of jobs."""
