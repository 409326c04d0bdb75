"""Products of another shop's export: read, checked as a whole, and created at Stripe."""
