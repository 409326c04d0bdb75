"""A shop that handles its sales in dj-stripe's webhook, for comparison. Runs in its own virtual environment."""
