"""The control: a usual webhook handler that keeps stock in Stripe metadata, faults included.

Handlers that read a count from a product's metadata, subtract, and write everything back are easy to find.
This one is written from scratch and as simple as they are, so that a benchmark can show the effect of its
faults under the same schedule. A judge that finds nothing wrong here is broken.
"""
