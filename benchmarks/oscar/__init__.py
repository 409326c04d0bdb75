"""django-oscar's catalogue with our goods in it, for comparison. Runs in an environment of its own."""
