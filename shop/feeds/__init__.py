"""Product feeds: one row per size, its attributes, and the files for Google and Stripe."""
