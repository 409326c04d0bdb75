"""What a person sees: the hosted payment page and the dashboard."""
