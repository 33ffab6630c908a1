"""Networks: one component a file, a base contract each. Know no files, config or data set."""
