"""Which page is this? (method, pattern of the path, function(fake, request) -> PageAnswer)."""

from fake_stripe.pages import dashboard, hosted

ROUTES = [
    ("GET", r"/c/pay/(?P<session>cs_[A-Za-z0-9_]+)", hosted.show),
    ("POST", r"/c/pay/(?P<session>cs_[A-Za-z0-9_]+)", hosted.submit),
    ("GET", r"/(?:dashboard/?)?", dashboard.show),
    ("POST", r"/dashboard/products/(?P<product>[^/]+)", dashboard.save_product),
]
