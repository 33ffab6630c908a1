"""Campaigns: their records, what they show, their verdicts."""
