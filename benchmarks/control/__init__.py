"""The control: stock kept in Stripe metadata the way it is usually done, faults included.

Webhook handlers that read a count from a product's metadata, subtract, and write everything back are easy to find.
This is one of them, written from scratch and as straight as they come, so that a benchmark can show what its faults
cost under the same schedule: a judge that finds nothing wrong here has lost its eyes.
"""
