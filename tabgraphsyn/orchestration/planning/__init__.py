"""What is to be computed: points in, stages out, and what identifies each."""
