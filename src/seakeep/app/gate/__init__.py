"""The gate at work: rule books, limits, controls, and the cases that are asked."""
