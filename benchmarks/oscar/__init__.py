"""django-oscar with the same products, for comparison. Runs in its own virtual environment."""
