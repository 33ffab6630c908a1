"""The structure of keys: which row hangs on which.

Where the number of a row's children comes from: in ``skeleton`` from the training row that it copies
(``copy_entities``, ``_target_degree``), in ``degrees`` from counts of kinds of rows (``_create``); what keys into the
holdout add to both is ``links.with_missing_links``. ``entities`` alone says how many rows a table gets; ``growing``
makes all keys hold ``rules``.
"""
